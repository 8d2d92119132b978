/**
 * What a page and a field tell each other by postMessage, and how each side reads what arrives. Pure.
 *
 * Invariant: no message to the page holds a digit that was typed. A token's public view (brand, BIN, last four) is the vault's answer.
 * Everything that arrives is from outside: read here into values of ours, or dropped.
 */
import type { CardBrand } from "@florin/kernel/card";
import type { FieldState } from "./card-number.ts";
import type { FieldName } from "./words.ts";

/** Both sides name the protocol, so that messages of other scripts are told apart. */
export const protocol = "florin.fields.1";

export type Billing = { readonly postal_code?: string; readonly address_line1?: string };

/** How often the token may pay, and for how many seconds; as the page said it: the vault judges. */
export type Terms = { readonly usage?: string; readonly expires_in?: number };

export type PageMessage =
  | {
      readonly kind: "init";
      readonly key: string;
      /** Fields of one form share it; 128 random bits. */
      readonly group: string;
      readonly language: string;
      readonly label: string;
      readonly placeholder: string;
      readonly style: unknown;
    }
  | { readonly kind: "focus" }
  | { readonly kind: "clear" }
  | { readonly kind: "tokenize"; readonly id: string; readonly name: string; readonly billing: Billing; readonly terms: Terms };

export type TokenError = { readonly code: string; readonly message: string; readonly field: FieldName | undefined };
export type FieldMessage =
  | { readonly kind: "ready"; readonly refusedStyles: readonly string[] }
  | { readonly kind: "state"; readonly state: FieldState; readonly isFocused: boolean; readonly brand: CardBrand | undefined }
  | { readonly kind: "enter" }
  | { readonly kind: "token"; readonly id: string; readonly token: unknown }
  | { readonly kind: "error"; readonly id: string; readonly error: TokenError };

export type Envelope<Message> = { readonly protocol: typeof protocol; readonly field: FieldName; readonly message: Message };

const textLengthMax = 200;
const keySpelling = /^pk_(test|live)_[0-9a-hjkmnp-tv-z]{26}$/;
const idSpelling = /^[\w-]{8,64}$/;

/** The page's message to `field`; undefined for everything else. */
export function readPageMessage(data: unknown, field: FieldName): PageMessage | undefined {
  if (!isObject(data) || data["protocol"] !== protocol || data["field"] !== field || !isObject(data["message"])) return undefined;
  const { message } = data;
  switch (message["kind"]) {
    case "focus":
    case "clear":
      return { kind: message["kind"] };
    case "init":
      return readInit(message);
    case "tokenize":
      return readTokenize(message);
    default:
      return undefined;
  }
}

function readInit(message: Readonly<Record<string, unknown>>): PageMessage | undefined {
  const { key, group, style } = { key: message["key"], group: message["group"], style: message["style"] };
  if (typeof key !== "string" || !keySpelling.test(key) || typeof group !== "string" || !idSpelling.test(group)) return undefined;
  const [language, label, placeholder] = ["language", "label", "placeholder"].map((name) => textOf(message[name]));
  return { kind: "init", key, group, style, language: language ?? "", label: label ?? "", placeholder: placeholder ?? "" };
}

function readTokenize(message: Readonly<Record<string, unknown>>): PageMessage | undefined {
  const id = message["id"];
  if (typeof id !== "string" || !idSpelling.test(id)) return undefined;
  const billing = isObject(message["billing"]) ? message["billing"] : {};
  const [postalCode, addressLine1] = [textOf(billing["postal_code"]), textOf(billing["address_line1"])];
  return {
    kind: "tokenize",
    id,
    name: textOf(message["name"]),
    billing: {
      ...(postalCode === "" ? {} : { postal_code: postalCode }),
      ...(addressLine1 === "" ? {} : { address_line1: addressLine1 }),
    },
    terms: readTerms(message["terms"]),
  };
}

/** What is neither said nor left out is made wrong, so that the vault refuses it: a token that pays more often than was meant is none to hand out. */
function readTerms(terms: unknown): Terms {
  if (!isObject(terms)) return {};
  const { usage, expires_in: expiresIn } = { usage: terms["usage"], expires_in: terms["expires_in"] };
  return {
    ...(usage === undefined ? {} : { usage: textOf(usage) }),
    ...(expiresIn === undefined ? {} : { expires_in: Number.isSafeInteger(expiresIn) ? Number(expiresIn) : 0 }),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, textLengthMax) : "";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
