/**
 * A card number while it is typed: how it looks, what brand it is, whether it can be one. Pure; digits are ASCII text.
 *
 * A field says `invalid` only when nothing that could still be typed would mend it, or when its holder has left it.
 */
import { brandOf, brandOfBeginning, type CardBrand, isLuhnValid } from "@florin/kernel/card";

export type FieldState = "empty" | "incomplete" | "complete" | "invalid";
export type NumberVerdict = { readonly state: FieldState; readonly brand: CardBrand };

const numberLengthMax = 19;
/** Where a gap follows, as it is embossed. */
const gapsOf: Partial<Record<CardBrand, readonly number[]>> = { amex: [4, 10], diners: [4, 10] };
const gapsDefault: readonly number[] = [4, 8, 12, 16];
const utf8 = new TextEncoder();
/** Digits of other scripts, which some keypads type: the first of each block of ten. */
const zeros = [0x30, 0x660, 0x6f0, 0x966, 0xff10];

/** The digits in `text` as ASCII, other characters left out, at most `lengthMax`. */
export function digitsIn(text: string, lengthMax: number): string {
  let digits = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const zero = zeros.find((first) => code >= first && code <= first + 9);
    if (zero !== undefined && digits.length < lengthMax) digits += String(code - zero);
  }
  return digits;
}

/** What was typed or pasted, as digits. */
export function numberIn(text: string): string {
  return digitsIn(text, numberLengthMax);
}

/** "4242424242424242" → "4242 4242 4242 4242". No gap at the end: the caret would stand behind it. */
export function formatNumber(digits: string): string {
  const { brand, lengths } = brandOfBeginning(utf8.encode(digits));
  // Diners cards of 16 digits are embossed like all others.
  const gaps = digits.length > Math.min(...lengths) ? gapsDefault : (gapsOf[brand] ?? gapsDefault);
  return Array.from(digits, (digit, index) => (gaps.includes(index) ? ` ${digit}` : digit)).join("");
}

/** `isLeft`: its holder went on to another field, so what is not complete is wrong. */
export function judgeNumber(digits: string, isLeft: boolean): NumberVerdict {
  const bytes = utf8.encode(digits);
  const { brand, lengths } = brandOfBeginning(bytes);
  if (digits === "") return { state: "empty", brand };
  if (isLuhnValid(bytes) && (brand === "unknown" || brandOf(bytes) !== "unknown")) return { state: "complete", brand };
  const isFull = digits.length >= Math.max(...lengths);
  return { state: isLeft || isFull ? "invalid" : "incomplete", brand };
}

/** Length of the security code on a card of `brand`; 4 where the brand is not known yet. */
export function codeLengthMaxOf(brand: CardBrand): number {
  return brand === "amex" || brand === "unknown" ? 4 : 3;
}

/** As `judgeNumber`. */
export function judgeCode(digits: string, brand: CardBrand, isLeft: boolean): FieldState {
  if (digits === "") return "empty";
  const lengthMin = brand === "amex" ? 4 : 3;
  if (digits.length > codeLengthMaxOf(brand)) return "invalid";
  if (digits.length >= lengthMin) return "complete";
  return isLeft ? "invalid" : "incomplete";
}
