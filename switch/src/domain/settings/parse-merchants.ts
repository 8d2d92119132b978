/** Reads what merchants have decided: where they are settled, by what their payments are routed, and their rules. */
import { isId } from "@florin/kernel";
import { strategyKinds } from "../routing/decision.ts";
import type { MerchantRouting } from "../routing/house-settings.ts";
import { type Capability, capabilities } from "../routing/processor-profile.ts";
import type { Strategy } from "../routing/route.ts";
import { parseRules } from "../routing/rules/parse-rules.ts";
import { countryForm } from "../routing/rules/rule-tree.ts";
import { merchantsMax } from "./bounds.ts";
import { type Field, readEntries, readInteger, readObject } from "./read-fields.ts";

export const defaultMerchant = "default";
/** What entries by merchant may be called. */
export const merchantNames = {
  fits: (name: string): boolean => name === defaultMerchant || isId("merchant", name),
  form: 'default and merchant ids ("mer_…")',
  max: merchantsMax,
};

/** `version`: of these settings, and so of the rules in them. `processors`: the names that rules may use, disabled ones among them. */
export type RulesContext = { readonly version: number; readonly processors: ReadonlySet<string> };

export function parseMerchants(field: Field, context: RulesContext): ReadonlyMap<string, MerchantRouting> {
  const merchants = readEntries(field, { ...merchantNames, read: (one) => parseMerchant(one, context) });
  const hasDefault = typeof field.value === "object" && field.value !== null && defaultMerchant in field.value;
  if (!hasDefault)
    field.findings.say(`${field.path}.${defaultMerchant}`, "is missing: it holds for every merchant without an entry of its own");
  return merchants;
}

function parseMerchant(field: Field, context: RulesContext): MerchantRouting | undefined {
  const value = readObject(field, ["country", "strategy", "rules", "needs"]);
  if (value === undefined) return undefined;
  const { country = "", rules } = value;
  if (country !== "" && !(typeof country === "string" && countryForm.test(country)))
    field.findings.say(`${field.path}.country`, "must be an ISO 3166-1 alpha-2 code");
  const strategy = parseStrategy({ ...field, value: value["strategy"], path: `${field.path}.strategy` });
  const needs = parseNeeds({ ...field, value: value["needs"], path: `${field.path}.needs` });
  if (strategy === undefined || typeof country !== "string") return undefined;
  return { country, strategy, rules: rules === undefined ? undefined : rulesOf(rules, field, context), needs };
}

/** Absent: the plain authorization is enough. */
function parseNeeds({ value, path, findings }: Field): readonly Capability[] {
  if (value === undefined) return [];
  const names = Array.isArray(value) ? value : [];
  const needs = capabilities.filter((one) => names.includes(one));
  if (needs.length === 0 || needs.length !== names.length) findings.say(path, `must list some of ${capabilities.join(", ")}, none twice`);
  return needs;
}

function parseStrategy(field: Field): Strategy | undefined {
  const value = readObject(field, ["kind", "explorePercent"]);
  if (value === undefined) return undefined;
  const kind = strategyKinds.find((one) => one === value["kind"]);
  if (kind === undefined) return void field.findings.say(`${field.path}.kind`, `must be one of ${strategyKinds.join(", ")}`);
  const { explorePercent = 0 } = value;
  const explore = { ...field, value: explorePercent, path: `${field.path}.explorePercent` };
  const percent = readInteger(explore, { unit: "percent", min: 0, max: 100 });
  if (percent !== undefined && percent > 0 && (kind === "listed" || kind === "cost"))
    return void field.findings.say(explore.path, `must be 0: ${kind} learns nothing from a draw`);
  return percent === undefined ? undefined : { kind, exploreBps: percent * 100 };
}

/** The reader's paths begin with "rules", where the tree stands in a merchant's entry as well. */
function rulesOf(rules: unknown, { path, findings }: Field, { version, processors }: RulesContext): MerchantRouting["rules"] {
  const parsed = parseRules({ version: Math.max(1, version), rules }, processors);
  if (parsed.kind === "parsed") return parsed.rules;
  for (const one of parsed.problems) findings.say(`${path}.${one.path}`, one.problem);
  return undefined;
}
