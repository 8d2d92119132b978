/** Reads one condition of a merchant's rules: a field in a list, an amount in a range, or conditions joined by all, any, not. */
import { amountMinorMax, isCurrency } from "@florin/kernel";
import { type Fields, type Findings, isFields, sayUnknownFields } from "./findings.ts";
import { countryForm, depthMax, fundingWords, listMax, networkForm, type RuleCondition, textFields } from "./rule-tree.ts";

/** How the values of a field look; a value that can never match is a mistake of the merchant's. */
export const valueForms: Readonly<
  Record<(typeof textFields)[number], { readonly fits: (value: string) => boolean; readonly form: string }>
> = {
  currency: { fits: isCurrency, form: "ISO 4217 codes" },
  network: { fits: (value) => networkForm.test(value), form: "card brands in lower case" },
  cardCountry: { fits: (value) => countryForm.test(value), form: "ISO 3166-1 alpha-2 codes" },
  funding: { fits: (value) => (fundingWords as readonly string[]).includes(value), form: fundingWords.join(", ") },
};

/** Undefined when anything is wrong with it; then `findings` says what. */
export function parseCondition(value: unknown, path: string, findings: Findings, depth = 1): RuleCondition | undefined {
  if (!findings.hasRoom(path)) return undefined;
  if (depth > depthMax) return void findings.say(path, `conditions stand more than ${depthMax} deep`);
  if (!isFields(value)) return void findings.say(path, "must be an object");
  if ("all" in value || "any" in value) return parseJoined(value, path, findings, depth);
  if ("not" in value) {
    sayUnknownFields(value, { known: ["not"], path, findings });
    const of = parseCondition(value["not"], `${path}.not`, findings, depth + 1);
    return of && { kind: "not", of };
  }
  return value["field"] === "amount" ? parseAmount(value, path, findings) : parseIn(value, path, findings);
}

function parseJoined(value: Fields, path: string, findings: Findings, depth: number): RuleCondition | undefined {
  const kind = "all" in value ? "all" : "any";
  sayUnknownFields(value, { known: [kind], path, findings });
  const parts = value[kind];
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > listMax)
    return void findings.say(`${path}.${kind}`, `must list 1 to ${listMax} conditions`);
  const of = parts.map((part, index) => parseCondition(part, `${path}.${kind}[${index}]`, findings, depth + 1));
  return of.every((one) => one !== undefined) ? { kind, of } : undefined;
}

function parseIn(value: Fields, path: string, findings: Findings): RuleCondition | undefined {
  sayUnknownFields(value, { known: ["field", "in"], path, findings });
  const field = textFields.find((one) => one === value["field"]);
  if (field === undefined) return void findings.say(`${path}.field`, `must be one of ${textFields.join(", ")}, amount`);
  const values: unknown = value["in"];
  const { fits, form } = valueForms[field];
  const isList = Array.isArray(values) && values.length > 0 && values.length <= listMax;
  if (!isList || !values.every((one: unknown) => typeof one === "string" && fits(one)))
    return void findings.say(`${path}.in`, `must list 1 to ${listMax} values: ${form}`);
  return { kind: "in", field, values: new Set(values as readonly string[]) };
}

function parseAmount(value: Fields, path: string, findings: Findings): RuleCondition | undefined {
  sayUnknownFields(value, { known: ["field", "currency", "atLeast", "atMost"], path, findings });
  const { currency, atLeast = 0, atMost = Number(amountMinorMax) } = value;
  if (typeof currency !== "string" || !isCurrency(currency))
    return void findings.say(`${path}.currency`, "must be an ISO 4217 code: an amount is compared in its currency only");
  if (!isMinor(atLeast)) return void findings.say(`${path}.atLeast`, `must be minor units, a whole number up to ${amountMinorMax}`);
  if (!isMinor(atMost)) return void findings.say(`${path}.atMost`, `must be minor units, a whole number up to ${amountMinorMax}`);
  if (atLeast > atMost) return void findings.say(path, "atLeast must not be above atMost");
  return { kind: "amount", currency, atLeast: BigInt(atLeast), atMost: BigInt(atMost) };
}

function isMinor(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= Number(amountMinorMax);
}
