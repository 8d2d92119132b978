/**
 * The shape of a card number: brand by prefix, check digit, mask. Works on ASCII digits in bytes, so that a number never becomes a
 * string on the way.
 *
 * Deliberately not here: issuers and funding by BIN (the vault's range table), and storing or carrying a number (`Secret`).
 * Ranges: ISO/IEC 7812-1 and the networks' published prefixes. Numbers of brands that are not listed are `unknown`.
 */

export type CardBrand = "visa" | "mastercard" | "amex" | "discover" | "diners" | "jcb" | "unionpay" | "maestro" | "unknown";

/** `low` and `high` are prefixes of equal length, both included. */
type PrefixRange = {
  readonly brand: CardBrand;
  readonly low: number;
  readonly high: number;
  readonly digits: number;
  readonly lengths: readonly number[];
};

const range = (brand: CardBrand, low: number, high: number, lengths: readonly number[]): PrefixRange => ({
  brand,
  low,
  high,
  digits: String(low).length,
  lengths,
});

/** The first range that holds the prefix wins, so narrow ranges stand before wide ones. */
const ranges: readonly PrefixRange[] = [
  range("amex", 34, 34, [15]),
  range("amex", 37, 37, [15]),
  range("diners", 300, 305, [14, 16, 19]),
  range("diners", 36, 36, [14, 16, 19]),
  range("diners", 38, 39, [14, 16, 19]),
  range("jcb", 3528, 3589, [16, 17, 18, 19]),
  range("visa", 4, 4, [13, 16, 18, 19]),
  range("mastercard", 51, 55, [16]),
  range("mastercard", 2221, 2720, [16]),
  range("discover", 6011, 6011, [16, 19]),
  range("discover", 644, 649, [16, 19]),
  range("discover", 65, 65, [16, 19]),
  range("unionpay", 62, 62, [14, 15, 16, 17, 18, 19]),
  range("unionpay", 81, 81, [14, 15, 16, 17, 18, 19]),
  range("maestro", 50, 50, [12, 13, 14, 15, 16, 17, 18, 19]),
  range("maestro", 56, 59, [12, 13, 14, 15, 16, 17, 18, 19]),
  range("maestro", 63, 63, [12, 13, 14, 15, 16, 17, 18, 19]),
  range("maestro", 67, 67, [12, 13, 14, 15, 16, 17, 18, 19]),
];

const zero = 0x30;
const nine = 0x39;
const numberLengthMin = 12;
const numberLengthMax = 19;
const anyLength = Array.from({ length: numberLengthMax - numberLengthMin + 1 }, (_, index) => numberLengthMin + index);

/** True when `number` is 12 to 19 ASCII digits and its last digit is the Luhn check digit (ISO/IEC 7812-1 annex B). */
export function isLuhnValid(number: Uint8Array): boolean {
  if (number.length < numberLengthMin || number.length > numberLengthMax) return false;
  let sum = 0;
  let doubled = false;
  for (let index = number.length - 1; index >= 0; index--) {
    const byte = number[index] as number;
    if (byte < zero || byte > nine) return false;
    let digit = byte - zero;
    if (doubled) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
    doubled = !doubled;
  }
  return sum % 10 === 0;
}

/** The brand whose range and lengths fit `number` (ASCII digits); `unknown` when none does. Does not look at the check digit. */
export function brandOf(number: Uint8Array): CardBrand {
  for (const candidate of ranges) {
    const prefix = prefixOf(number, candidate.digits);
    if (prefix >= candidate.low && prefix <= candidate.high) return candidate.lengths.includes(number.length) ? candidate.brand : "unknown";
  }
  return "unknown";
}

/**
 * What a number that is still being typed can become: the brand of its range as soon as that is certain, and how long it may get. `unknown` and
 * every length while several are possible, or none.
 */
export function brandOfBeginning(number: Uint8Array): { readonly brand: CardBrand; readonly lengths: readonly number[] } {
  for (const candidate of ranges) {
    const prefix = prefixOf(number, candidate.digits);
    if (prefix >= candidate.low && prefix <= candidate.high) return { brand: candidate.brand, lengths: candidate.lengths };
  }
  return { brand: "unknown", lengths: anyLength };
}

/** First six and last four digits with stars between, the most PCI DSS 3.4.1 lets anyone see; fewer for short or odd input. */
export function maskCardNumber(number: Uint8Array): string {
  const { length } = number;
  let isNumber = length >= numberLengthMin && length <= numberLengthMax;
  let text = "";
  for (let index = 0; index < length; index++) {
    const byte = number[index] as number;
    if (byte < zero || byte > nine) isNumber = false;
    text += index < 6 || index >= length - 4 ? String.fromCharCode(byte) : "*";
  }
  return isNumber ? text : "[card number]";
}

/** The first `digits` digits as a number; -1 when there are fewer, or something else than digits. */
function prefixOf(number: Uint8Array, digits: number): number {
  if (number.length < digits) return -1;
  let prefix = 0;
  for (let index = 0; index < digits; index++) {
    const byte = number[index] as number;
    if (byte < zero || byte > nine) return -1;
    prefix = prefix * 10 + byte - zero;
  }
  return prefix;
}
