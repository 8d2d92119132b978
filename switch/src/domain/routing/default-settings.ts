/** What holds where nobody has settled anything: every payment may go to the processors of the process's own configuration, in their order. */
import type { VelocityLimits } from "../fraud/index.ts";
import { attemptsMax } from "./cascade.ts";
import type { HouseSettings, MerchantRouting } from "./house-settings.ts";
import { capabilities, type ProcessorProfile } from "./processor-profile.ts";
import { makeProcessors } from "./route.ts";

const merchant: MerchantRouting = { country: "", strategy: { kind: "listed", exploreBps: 0 }, rules: undefined };

const cascadeWithinMsDefault = 10_000;

export function defaultSettings(o: { readonly processors: readonly string[]; readonly velocity: VelocityLimits }): HouseSettings {
  return {
    version: 0,
    processors: makeProcessors(o.processors.map(anything)),
    merchant: () => merchant,
    limits: { velocity: o.velocity, cascadeAttemptsMax: attemptsMax, cascadeWithinMs: cascadeWithinMsDefault },
  };
}

/** A processor that takes whatever comes, at a price that nobody has told. */
function anything(name: string): ProcessorProfile {
  return {
    name,
    currencies: "any",
    networks: "any",
    cardCountries: "any",
    amounts: new Map(),
    capabilities: new Set(capabilities),
    fees: { rateBps: 0, fixedMinor: new Map(), interchange: "blended" },
  };
}
