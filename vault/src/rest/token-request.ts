/**
 * The body of `POST /v1/tokens`: `{card: {number, exp_month, exp_year, cvc?, pin?: {block, key_serial_number?}, name?}, billing?: {postal_code?, address_line1?}, usage?, expires_in?}`.
 *
 * Number, code and PIN block go from the body's bytes into Secrets. Whatever fails, what was read of them is wiped before the fault leaves.
 */
import { invalid, maskCardNumber, Secret } from "@florin/kernel";
import { type CardInput, holdsCardNumber } from "../domain/card.ts";
import { limits } from "../domain/limits.ts";
import type { TokenTerms, Usage } from "../domain/token-life.ts";
import { JsonReader, type ReadField } from "./json-reader.ts";

const codeLengthMin = 3;
const codeLengthMax = 4;

type Draft = {
  number: Secret | undefined;
  securityCode: Secret | undefined;
  pinBlock: Secret | undefined;
  keySerialNumber: Uint8Array | undefined;
  expMonth: number;
  expYear: number;
  name: string;
  postalCode: string;
  addressLine1: string;
  usage: Usage;
  expiresInS: number | undefined;
};

export type TokenRequest = { readonly card: CardInput; readonly terms: TokenTerms };

const usages: Readonly<Record<string, Usage>> = { single_use: "single_use", reusable: "reusable" };
const usageLengthMax = 16;

/** Throws AppError, nothing was done. The caller wipes `bytes`, and the card when it is through with it. */
export function readTokenRequest(bytes: Buffer): TokenRequest {
  const draft: Draft = {
    number: undefined,
    securityCode: undefined,
    pinBlock: undefined,
    keySerialNumber: undefined,
    expMonth: 0,
    expYear: 0,
    name: "",
    postalCode: "",
    addressLine1: "",
    usage: "reusable",
    expiresInS: undefined,
  };
  try {
    const reader = new JsonReader(bytes);
    const present = reader.object("", fieldsOfBody(draft));
    reader.end();
    if (!present.has("card")) throw missing("card");
    const { number, usage, expiresInS, pinBlock, keySerialNumber, ...card } = draft;
    if (number === undefined) throw missing("card.number");
    const pin = pinBlock === undefined ? undefined : { block: pinBlock, keySerialNumber };
    return { card: { ...card, number, pin }, terms: { usage, expiresInS } };
  } catch (thrown) {
    draft.number?.wipe();
    draft.securityCode?.wipe();
    draft.pinBlock?.wipe();
    throw thrown;
  }
}

function fieldsOfBody(draft: Draft): ReadonlyMap<string, ReadField> {
  const billing = new Map<string, ReadField>([
    ["postal_code", textField(limits.postalCodeLengthMax, (text) => (draft.postalCode = text))],
    ["address_line1", textField(limits.addressLine1LengthMax, (text) => (draft.addressLine1 = text))],
  ]);
  return new Map<string, ReadField>([
    ["card", (reader, path) => requireFields(path, reader.object(path, fieldsOfCard(draft)), ["number", "exp_month", "exp_year"])],
    ["billing", (reader, path) => void reader.object(path, billing)],
    [
      "usage",
      (reader, path) => {
        const word = reader.text(path, usageLengthMax);
        const usage = Object.hasOwn(usages, word) ? usages[word] : undefined;
        if (usage === undefined) throw invalid("parameter_invalid", `${path} is single_use or reusable`, path);
        draft.usage = usage;
      },
    ],
    [
      "expires_in",
      (reader, path) => {
        draft.expiresInS = reader.integer(path);
      },
    ],
  ]);
}

function fieldsOfCard(draft: Draft): ReadonlyMap<string, ReadField> {
  return new Map<string, ReadField>([
    [
      "number",
      (reader, path) => {
        const digits = reader.secretDigits(path, limits.numberLengthMin, limits.numberLengthMax);
        if (digits === undefined) throw invalid("card_number_invalid", `${path} is 12 to 19 digits without spaces`, path);
        draft.number = new Secret(digits, maskCardNumber(digits));
      },
    ],
    [
      "cvc",
      (reader, path) => {
        const digits = reader.secretDigits(path, codeLengthMin, codeLengthMax);
        if (digits === undefined) throw invalid("card_cvc_invalid", `${path} is three or four digits`, path);
        draft.securityCode = new Secret(digits, "[security code]");
      },
    ],
    ["pin", (reader, path) => requireFields(path, reader.object(path, fieldsOfPin(draft)), ["block"])],
    [
      "exp_month",
      (reader, path) => {
        draft.expMonth = reader.integer(path);
      },
    ],
    [
      "exp_year",
      (reader, path) => {
        draft.expYear = reader.integer(path);
      },
    ],
    ["name", textField(limits.nameLengthMax, (text) => (draft.name = text))],
  ]);
}

function fieldsOfPin(draft: Draft): ReadonlyMap<string, ReadField> {
  const hex = (reader: JsonReader, path: string, count: number): Uint8Array => {
    const bytes = reader.secretHex(path, count);
    if (bytes === undefined) throw invalid("parameter_invalid", `${path} is ${2 * count} hexadecimal digits`, path);
    return bytes;
  };
  return new Map<string, ReadField>([
    [
      "block",
      (reader, path) => {
        draft.pinBlock = new Secret(hex(reader, path, limits.pinBlockBytes), "[PIN block]");
      },
    ],
    [
      "key_serial_number",
      (reader, path) => {
        draft.keySerialNumber = hex(reader, path, limits.keySerialNumberBytes);
      },
    ],
  ]);
}

function textField(lengthMax: number, keep: (text: string) => void): ReadField {
  return (reader, path) => {
    const text = reader.text(path, lengthMax);
    if (holdsCardNumber(text)) throw invalid("parameter_invalid", `${path} looks like a card number`, path);
    keep(text);
  };
}

function requireFields(path: string, present: ReadonlySet<string>, needed: readonly string[]): void {
  for (const field of needed) if (!present.has(field)) throw missing(`${path}.${field}`);
}

function missing(param: string) {
  return invalid("parameter_missing", `${param} is required`, param);
}
