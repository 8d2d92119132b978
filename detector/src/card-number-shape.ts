/**
 * Whether some digits are a card number: length, check digit and the range of a network.
 *
 * The ranges are the kernel's and those of a few networks that Florin has no name for. A range matters as much as the check digit: it leaves one
 * in four of the numbers that pass by chance, and nothing that counts milliseconds, microseconds or nanoseconds since 1970 (they begin with 1).
 * Twelve digits, which old Maestro cards may have, are not looked for: retrieval reference numbers look the same.
 */
import { brandOf, isLuhnValid } from "@florin/kernel";

export const digitsMin = 13;
export const digitsMax = 19;

const zero = 0x30;

/** Mir, BORICA, RuPay, Troy, Humo, Uzcard: prefixes of four digits, both included. */
const otherNetworks: readonly { readonly low: number; readonly high: number; readonly lengths: readonly number[] }[] = [
  { low: 2200, high: 2204, lengths: [16, 17, 18, 19] },
  { low: 2205, high: 2205, lengths: [16] },
  { low: 6000, high: 6099, lengths: [16] },
  { low: 8200, high: 8299, lengths: [16] },
  { low: 8600, high: 8600, lengths: [16] },
  { low: 9792, high: 9792, lengths: [16] },
  { low: 9860, high: 9860, lengths: [16] },
];

/** By first byte: whether any range begins so. The cheapest question comes first. */
export const mayBegin: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => ("2345689".includes(String.fromCharCode(byte)) ? 1 : 0));

const rooms: readonly Uint8Array[] = Array.from({ length: digitsMax + 1 }, (_, size) => new Uint8Array(size));

/** Where `size` digits (0 to 19) are put together to be looked at. The same every time: nearly none is a number, and garbage costs more than the look. */
export function roomFor(size: number): Uint8Array {
  return rooms[size] as Uint8Array;
}

/** `digits` are ASCII. */
export function isCardNumber(digits: Uint8Array): boolean {
  const { length } = digits;
  if (length < digitsMin || length > digitsMax || mayBegin[digits[0] as number] === 0) return false;
  if (!isLuhnValid(digits)) return false;
  return brandOf(digits) !== "unknown" || isOfOtherNetwork(digits);
}

function isOfOtherNetwork(digits: Uint8Array): boolean {
  let prefix = 0;
  for (let index = 0; index < 4; index++) prefix = prefix * 10 + (digits[index] as number) - zero;
  return otherNetworks.some(({ low, high, lengths }) => prefix >= low && prefix <= high && lengths.includes(digits.length));
}
