/** Reads the house's table of issuer ranges: where cards are from, by their first digits. */
import type { Issuer } from "../routing/issuer-table.ts";
import { prefixForm } from "../routing/issuer-table.ts";
import { countryForm, fundingWords } from "../routing/rules/rule-tree.ts";
import { binsMax } from "./bounds.ts";
import { type Field, readObject } from "./read-fields.ts";

/** What a table can say of a range; that nobody knows is said by leaving it out. */
export const binFundings = fundingWords.filter((word) => word !== "unknown");

export function parseBins({ value, path, findings }: Field): ReadonlyMap<string, Issuer> {
  const issuers = new Map<string, Issuer>();
  if (value === undefined) return issuers;
  if (!Array.isArray(value) || value.length > binsMax) {
    findings.say(path, `must list at most ${binsMax} ranges`);
    return issuers;
  }
  for (const [index, one] of value.entries()) {
    const field = { value: one as unknown, path: `${path}[${index}]`, findings };
    const read = parseBin(field);
    if (read === undefined) continue;
    if (issuers.has(read.prefix)) findings.say(`${field.path}.prefix`, "stands in the list already");
    issuers.set(read.prefix, read.issuer);
  }
  return issuers;
}

function parseBin(field: Field): { readonly prefix: string; readonly issuer: Issuer } | undefined {
  const value = readObject(field, ["prefix", "country", "funding"]);
  if (value === undefined) return undefined;
  const { prefix, country, funding } = value;
  const kind = funding === undefined ? "unknown" : binFundings.find((word) => word === funding);
  if (kind === undefined) field.findings.say(`${field.path}.funding`, `must be one of ${binFundings.join(", ")}, or left out`);
  const hasCountry = typeof country === "string" && countryForm.test(country);
  if (!hasCountry) field.findings.say(`${field.path}.country`, "must be an ISO 3166-1 alpha-2 code");
  if (typeof prefix !== "string" || !prefixForm.test(prefix))
    return void field.findings.say(`${field.path}.prefix`, "must be the first 6 to 8 digits of card numbers");
  return hasCountry && kind !== undefined ? { prefix, issuer: { country, funding: kind } } : undefined;
}
