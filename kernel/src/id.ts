/**
 * Ids: a prefix that tells the kind, and 128 bits in Crockford base 32 (26 characters, lower case, sortable as text).
 *
 * The first 48 bits are Unix milliseconds, so ids sort by time and the payment log is partitioned by them; the other 80 bits are
 * random. Payment ids are no secrets. Secrets (API keys, vault tokens) use 128 random bits and are made elsewhere.
 */
import { assert } from "./assert.ts";

export const idPrefixes = {
  payment: "pay",
  merchant: "mer",
  attempt: "att",
  capture: "cap",
  void: "voi",
  refund: "ref",
  request: "req",
  event: "evt",
} as const;
export type IdKind = keyof typeof idPrefixes;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const values: Readonly<Record<string, number>> = Object.fromEntries([...alphabet].map((letter, index) => [letter, index]));
const bodyLength = 26;

/** An id made of `nowMs` (Unix milliseconds, below 2^48) and ten random bytes. Pure: the caller brings both. */
export function makeId(kind: IdKind, nowMs: number, random: Uint8Array): string {
  assert(Number.isSafeInteger(nowMs) && nowMs >= 0 && nowMs < 2 ** 48, "nowMs has 48 bits");
  assert(random.length >= 10, "an id needs ten random bytes");
  const bytes = new Uint8Array(16);
  let rest = nowMs;
  for (let index = 5; index >= 0; index--) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes.set(random.subarray(0, 10), 6);
  return `${idPrefixes[kind]}_${encodeBase32(bytes)}`;
}

/** True when `text` is a well-formed id of this kind, in its one canonical spelling. */
export function isId(kind: IdKind, text: string): boolean {
  const prefix = idPrefixes[kind];
  if (text.length !== prefix.length + 1 + bodyLength || !text.startsWith(prefix) || text[prefix.length] !== "_") return false;
  const first = values[text[prefix.length + 1] as string];
  if (first === undefined || first > 7) return false;
  for (let index = prefix.length + 2; index < text.length; index++) if (values[text[index] as string] === undefined) return false;
  return true;
}

/** The 128 bits of a well-formed id as 32 hex characters, which PostgreSQL reads as a uuid. */
export function idToHex(id: string): string {
  const body = id.slice(id.length - bodyLength);
  let number = 0n;
  for (const letter of body) {
    const value = values[letter];
    assert(value !== undefined, "an id is Crockford base 32");
    number = (number << 5n) | BigInt(value);
  }
  assert(number < 1n << 128n, "an id has 128 bits");
  return number.toString(16).padStart(32, "0");
}

/** The id of this kind with these 128 bits; accepts a uuid with or without dashes. */
export function idFromHex(kind: IdKind, hex: string): string {
  const plain = hex.replaceAll("-", "");
  assert(plain.length === 32, "128 bits are 32 hex characters");
  const bytes = new Uint8Array(16);
  for (let index = 0; index < 16; index++) bytes[index] = Number.parseInt(plain.slice(index * 2, index * 2 + 2), 16);
  return `${idPrefixes[kind]}_${encodeBase32(bytes)}`;
}

/** Unix milliseconds in the first 48 bits of an id. */
export function idTimeMs(id: string): number {
  return Number.parseInt(idToHex(id).slice(0, 12), 16);
}

function encodeBase32(bytes: Uint8Array): string {
  // 26 characters hold 130 bits: two leading zero bits, then the 128.
  let text = "";
  let buffer = 0;
  let bits = 2;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(buffer >>> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return text;
}
