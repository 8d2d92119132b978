/**
 * What a card must be to get a token, and what is known about it in clear.
 *
 * Pure; the number is bytes throughout. Not here: sealing, storing, and ranges of issuers (funding of live cards is `unknown`).
 */
import { type AppError, brandOf, type CardBrand, invalid, isLuhnValid, type Secret } from "@florin/kernel";
import { limits } from "./limits.ts";
import { findTestCard } from "./test-cards.ts";
import type { Mode } from "./token.ts";

export type Funding = "credit" | "debit" | "prepaid" | "unknown";

/** A PIN as the device that took it encrypted it, under a key that the processor has and nobody here: bytes to be passed on. */
export type EncryptedPin = {
  /** Eight bytes, ISO 9564-1 format 0, 1 or 3, encrypted. */
  readonly block: Secret;
  /** Ten bytes that tell the processor which key it was (ANSI X9.24); undefined where the key is agreed otherwise. */
  readonly keySerialNumber: Uint8Array | undefined;
};

/** A card as its holder handed it in. Whoever holds it wipes it. */
export type CardInput = {
  /** ASCII digits. */
  readonly number: Secret;
  readonly expMonth: number;
  readonly expYear: number;
  /** ASCII digits; undefined when none was given. */
  readonly securityCode: Secret | undefined;
  readonly pin?: EncryptedPin | undefined;
  readonly name: string;
  readonly postalCode: string;
  readonly addressLine1: string;
};

/** What may be told about a card. */
export type CardFacts = {
  readonly brand: CardBrand;
  /** First eight digits of numbers of 16 digits or more, else six (PCI SSC FAQ 1091). */
  readonly bin: string;
  readonly last4: string;
  /** 1 to 12. */
  readonly expMonth: number;
  /** Four digits. */
  readonly expYear: number;
  readonly funding: Funding;
};

export type DescribedCard = CardFacts & {
  /** Keyed hash of the number within its merchant, 32 hex characters. */
  readonly fingerprint: string;
};

/** The facts of a card that is good for `mode` at `now`, or why it is not. The refusal never quotes the card. */
export function examineCard(
  card: CardInput,
  mode: Mode,
  now: Date,
): { kind: "good"; facts: CardFacts } | { kind: "refused"; fault: AppError } {
  const number = card.number.expose();
  const refused = (fault: AppError) => ({ kind: "refused", fault }) as const;
  if (!isLuhnValid(number)) return refused(invalid("card_number_invalid", "card.number is not a valid card number", "card.number"));
  const testCard = findTestCard(number);
  if (mode === "test" && testCard === undefined)
    return refused(invalid("live_card_in_test_mode", "test mode takes test cards only; never type a real card here", "card.number"));
  if (!isExpiryValid(card, now))
    return refused(invalid("card_expiry_invalid", "the card's expiry is not valid or has passed", expiryParam(card)));
  const brand = brandOf(number);
  if (!isSecurityCodeValid(card.securityCode, brand))
    return refused(invalid("card_cvc_invalid", "card.cvc is three digits, on American Express cards four", "card.cvc"));
  const { expMonth, expYear } = card;
  return { kind: "good", facts: { ...clearDigits(number), brand, expMonth, expYear, funding: testCard?.funding ?? "unknown" } };
}

/** BIN and last four digits. */
export function clearDigits(number: Uint8Array): { readonly bin: string; readonly last4: string } {
  return {
    bin: String.fromCharCode(...number.subarray(0, number.length >= 16 ? 8 : 6)),
    last4: String.fromCharCode(...number.subarray(-4)),
  };
}

/** A card is good until the end of its month, wherever on earth its holder is (UTC-12). */
function isExpiryValid({ expMonth, expYear }: CardInput, now: Date): boolean {
  if (expMonth < 1 || expMonth > 12 || expYear < 2000 || expYear > now.getUTCFullYear() + limits.expiryYearsMax) return false;
  const latestHourUtc = 12;
  return Date.UTC(expYear, expMonth, 1, latestHourUtc) > now.getTime();
}

function expiryParam({ expMonth }: CardInput): string {
  return expMonth < 1 || expMonth > 12 ? "card.exp_month" : "card.exp_year";
}

function isSecurityCodeValid(code: Secret | undefined, brand: CardBrand): boolean {
  if (code === undefined) return true;
  const bytes = code.expose();
  const isLengthRight = brand === "unknown" ? bytes.length === 3 || bytes.length === 4 : bytes.length === (brand === "amex" ? 4 : 3);
  return isLengthRight && bytes.every((byte) => byte >= 0x30 && byte <= 0x39);
}

/** True when `text` holds 13 to 19 digits, perhaps in groups, that pass the Luhn check: a card number typed into the wrong field. */
export function holdsCardNumber(text: string): boolean {
  for (const match of text.matchAll(/\d(?:[ -]?\d){12,}/g)) {
    const digits = Buffer.from(match[0].replaceAll(/[ -]/g, ""), "latin1");
    for (let start = 0; start + 13 <= digits.length; start++) {
      for (let length = 13; length <= 19 && start + length <= digits.length; length++) {
        if (isLuhnValid(digits.subarray(start, start + length))) return true;
      }
    }
  }
  return false;
}
