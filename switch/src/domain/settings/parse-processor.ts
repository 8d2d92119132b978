/** Reads one processor of a settings document: whom it serves, what it charges, where its secrets are. What it can do the registry says. */
import { isCurrency } from "@florin/kernel";
import { type FeeSchedule, interchangeClasses, rateBpsMax } from "../routing/fees.ts";
import type { InterchangeTable } from "../routing/interchange.ts";
import type { AmountRange, ProcessorProfile } from "../routing/processor-profile.ts";
import { valueForms } from "../routing/rules/parse-condition.ts";
import { processorName, secretName, secretsMax } from "./bounds.ts";
import { type Field, readCodes, readEntries, readInteger, readMinor, readObject } from "./read-fields.ts";
import { secretReference } from "./secret-reference.ts";

/** A processor as the house decides about it. */
export type ProcessorSettings = Omit<ProcessorProfile, "capabilities"> & {
  readonly isEnabled: boolean;
  /** Name of a secret to where it is. */
  readonly secrets: ReadonlyMap<string, string>;
};

const known = ["name", "enabled", "currencies", "networks", "cardCountries", "amountsMinor", "fees", "secrets"];
const currencyNames = { fits: isCurrency, form: "ISO 4217 codes", max: 200 };

/** What is wrong with a part of it is told; the processor is undefined only when it has no name to go by. */
export function parseProcessor(field: Field): ProcessorSettings | undefined {
  const value = readObject(field, known);
  if (value === undefined) return undefined;
  const at = (name: string): Field => ({ ...field, value: value[name], path: `${field.path}.${name}` });
  const { name, enabled = true } = value;
  if (typeof enabled !== "boolean") field.findings.say(`${field.path}.enabled`, "must be true or false");
  const read = {
    isEnabled: enabled !== false,
    currencies: readCodes(at("currencies"), valueForms.currency) ?? "any",
    networks: readCodes(at("networks"), valueForms.network) ?? "any",
    cardCountries: readCodes(at("cardCountries"), valueForms.cardCountry) ?? "any",
    amounts: readEntries(at("amountsMinor"), { ...currencyNames, read: readRange }),
    fees: readFees(at("fees")),
    secrets: readEntries(at("secrets"), {
      fits: (one) => secretName.test(one),
      form: 'names like "api"',
      max: secretsMax,
      read: readSecret,
    }),
  } as const;
  if (typeof name === "string" && processorName.test(name)) return { name, ...read };
  return void field.findings.say(`${field.path}.name`, "must be the name of a connector, lower case letters, digits and underscores");
}

function readRange(field: Field): AmountRange | undefined {
  const value = readObject(field, ["min", "max"]);
  if (value === undefined) return undefined;
  const minMinor = readMinor({ ...field, value: value["min"], path: `${field.path}.min` });
  const maxMinor = readMinor({ ...field, value: value["max"], path: `${field.path}.max` });
  if (minMinor === undefined || maxMinor === undefined) return undefined;
  return minMinor <= maxMinor ? { minMinor, maxMinor } : void field.findings.say(field.path, "min must not be above max");
}

const freeOfCharge: FeeSchedule = { rateBps: 0, fixedMinor: new Map(), interchange: "blended" };

/** Absent: no price in any currency, so that nobody takes it for the cheapest. */
function readFees(field: Field): FeeSchedule {
  if (field.value === undefined) return freeOfCharge;
  const value = readObject(field, ["rateBps", "fixedMinor", "interchange"]);
  if (value === undefined) return freeOfCharge;
  const at = (name: string): Field => ({ ...field, value: value[name], path: `${field.path}.${name}` });
  const rateBps = readInteger(at("rateBps"), { unit: "basis points", min: 0, max: rateBpsMax }) ?? 0;
  const fixedMinor = readEntries(at("fixedMinor"), { ...currencyNames, read: readMinor });
  if (fixedMinor.size === 0 && value["fixedMinor"] === undefined)
    field.findings.say(`${field.path}.fixedMinor`, "must name the currencies that have a price, if with 0");
  const interchange = value["interchange"] === "blended" ? "blended" : readInterchange(at("interchange"), rateBps);
  return { rateBps, fixedMinor, interchange: interchange ?? "blended" };
}

function readInterchange(field: Field, rateBps: number): InterchangeTable | undefined {
  if (typeof field.value === "string" || field.value === undefined)
    return void field.findings.say(field.path, "must be blended, or an object with the basis points of every class");
  const value = readObject(field, interchangeClasses);
  if (value === undefined) return undefined;
  const max = rateBpsMax - rateBps;
  const rates = interchangeClasses.map(
    (one) =>
      [one, readInteger({ ...field, value: value[one], path: `${field.path}.${one}` }, { unit: "basis points", min: 0, max })] as const,
  );
  return rates.every(([, bps]) => bps !== undefined) ? (Object.fromEntries(rates) as InterchangeTable) : undefined;
}

function readSecret({ value, path, findings }: Field): string | undefined {
  if (typeof value === "string" && secretReference.test(value)) return value;
  return void findings.say(
    path,
    'must say where the secret is, as "file:/run/secrets/name" or "env:FLORIN_SECRET_NAME"; a secret itself does not belong here',
  );
}
