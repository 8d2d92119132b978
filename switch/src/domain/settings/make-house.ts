/** From what a settings document says and what the connectors can do: the value that payments are decided by. */
import { required } from "@florin/kernel";
import type { HouseSettings } from "../routing/house-settings.ts";
import { makeIssuerTable } from "../routing/issuer-table.ts";
import { type Capability, type CodeSet, capabilities } from "../routing/processor-profile.ts";
import { makeProcessors } from "../routing/route.ts";
import { defaultMerchant } from "./parse-merchants.ts";
import type { ProcessorSettings } from "./parse-processor.ts";
import type { ReadSettings, SettingsProblem } from "./parse-settings.ts";

/** What a connector says of itself. */
export type ConnectorAbilities = {
  readonly currencies: CodeSet;
  readonly networks: CodeSet;
  readonly capabilities: ReadonlySet<Capability>;
};
/** By registry name. */
export type ConnectorRegistry = ReadonlyMap<string, ConnectorAbilities>;

/** While nobody has said what a connector can do: the connector itself refuses what it cannot, before anything is sent. */
const presumedAble: ConnectorAbilities = { currencies: "any", networks: "any", capabilities: new Set(capabilities) };

/**
 * A processor whose connector is known not to be there takes no payments. `registry` is undefined until the connectors have answered. What is built
 * in is taken as it is: nobody has said what these processors are to take.
 */
export function makeHouse(settings: ReadSettings, registry: ConnectorRegistry | undefined): HouseSettings {
  const { version, merchants, limits } = settings;
  const otherwise = required(merchants.get(defaultMerchant), "a document that was read has a default");
  const profiles = settings.processors.flatMap((one) => {
    const able = registry === undefined || version === 0 ? presumedAble : registry.get(one.name);
    return one.isEnabled && able !== undefined ? [profileOf(one, able)] : [];
  });
  return Object.freeze({
    version,
    processors: makeProcessors(profiles),
    merchant: (merchantId: string) => merchants.get(merchantId) ?? otherwise,
    limits,
    issuers: makeIssuerTable(settings.bins),
  });
}

function profileOf({ name, cardCountries, amounts, fees, currencies, networks }: ProcessorSettings, able: ConnectorAbilities) {
  return {
    name,
    currencies: both(currencies, able.currencies),
    networks: both(networks, able.networks),
    cardCountries,
    amounts,
    fees,
    capabilities: able.capabilities,
  };
}

function both(one: CodeSet, other: CodeSet): CodeSet {
  if (one === "any" || other === "any") return one === "any" ? other : one;
  return new Set([...one].filter((code) => other.has(code)));
}

/** What the connectors that there are cannot do of what enabled processors are to do. */
export function registryProblems({ processors }: ReadSettings, registry: ConnectorRegistry): readonly SettingsProblem[] {
  return processors.flatMap((one, index) => {
    if (!one.isEnabled) return [];
    const able = registry.get(one.name);
    if (able === undefined) return [{ path: `processors[${index}].name`, problem: "is no connector of this house" }];
    return (["currencies", "networks"] as const)
      .filter((field) => !isWithin(one[field], able[field]))
      .map((field) => ({ path: `processors[${index}].${field}`, problem: "names what the connector does not take" }));
  });
}

function isWithin(wanted: CodeSet, able: CodeSet): boolean {
  return wanted === "any" || able === "any" || [...wanted].every((code) => able.has(code));
}
