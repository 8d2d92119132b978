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
  reversal: "rev",
  request: "req",
  event: "evt",
} as const;
export type IdKind = keyof typeof idPrefixes;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const hexDigits = "0123456789abcdef";
/** By character code; -1: not in the alphabet. */
const values = new Int8Array(128).fill(-1);
for (let index = 0; index < alphabet.length; index++) values[alphabet.charCodeAt(index)] = index;
const hexValues = new Int8Array(128).fill(-1);
for (let index = 0; index < 16; index++) {
  hexValues[hexDigits.charCodeAt(index)] = index;
  hexValues[hexDigits.toUpperCase().charCodeAt(index)] = index;
}
const bodyLength = 26;
const dash = "-".charCodeAt(0);
const alphabetCodes = Buffer.from(alphabet, "latin1");

/**
 * Where ids are put together, one at a time: a string that grows by single characters is a tree of them, dear to make, to keep and to read,
 * and a payment's way through the house turns a good twenty of these.
 */
const bits128 = Buffer.alloc(16);
const spelled: Readonly<Record<IdKind, Buffer>> = mapKinds((prefix) => Buffer.from(`${prefix}_${"0".repeat(bodyLength)}`, "latin1"));

/** An id made of `nowMs` (Unix milliseconds, below 2^48) and ten random bytes. Pure: the caller brings both. */
export function makeId(kind: IdKind, nowMs: number, random: Uint8Array): string {
  assert(Number.isSafeInteger(nowMs) && nowMs >= 0 && nowMs < 2 ** 48, "nowMs has 48 bits");
  assert(random.length >= 10, "an id needs ten random bytes");
  bits128.writeUIntBE(nowMs, 0, 6);
  for (let index = 0; index < 10; index++) bits128[6 + index] = random[index] as number;
  return spell(kind);
}

/** True when `text` is a well-formed id of this kind, in its one canonical spelling. */
export function isId(kind: IdKind, text: string): boolean {
  const prefix = idPrefixes[kind];
  if (text.length !== prefix.length + 1 + bodyLength || !text.startsWith(prefix) || text[prefix.length] !== "_") return false;
  if (valueAt(text, prefix.length + 1) > 7) return false;
  for (let index = prefix.length + 1; index < text.length; index++) if (valueAt(text, index) < 0) return false;
  return true;
}

function valueAt(text: string, index: number): number {
  return values[text.charCodeAt(index)] ?? -1;
}

/**
 * The 128 bits of a well-formed id as 32 hex characters, which PostgreSQL reads as a uuid. Five bits in, eight bits out: stores do this
 * several times per row, and with big integers it would cost ten times as much.
 */
export function idToHex(id: string): string {
  let buffer = 0;
  let at = 0;
  // 26 characters hold 130 bits; the first two are zero in a well-formed id.
  let bits = -2;
  for (let index = id.length - bodyLength; index < id.length; index++) {
    const value = valueAt(id, index);
    assert(value >= 0, "an id is Crockford base 32");
    buffer = (buffer << 5) | value;
    bits += 5;
    assert(bits !== 3 || buffer < 8, "an id has 128 bits");
    if (bits < 8) continue;
    bits -= 8;
    bits128[at++] = buffer >>> bits;
    buffer &= (1 << bits) - 1;
  }
  return bits128.toString("hex");
}

/** The id of this kind with these 128 bits; accepts a uuid with or without dashes. */
export function idFromHex(kind: IdKind, hex: string): string {
  let digits = 0;
  for (let index = 0; index < hex.length; index++) {
    const code = hex.charCodeAt(index);
    if (code === dash) continue;
    const value = hexValues[code] ?? -1;
    assert(value >= 0, "a uuid is written in hex");
    if (digits < 32) bits128[digits >>> 1] = digits % 2 === 0 ? value << 4 : (bits128[digits >>> 1] as number) | value;
    digits += 1;
  }
  assert(digits === 32, "128 bits are 32 hex characters");
  return spell(kind);
}

/** Unix milliseconds in the first 48 bits of an id. */
export function idTimeMs(id: string): number {
  return Number.parseInt(idToHex(id).slice(0, 12), 16);
}

/** `bits128` as an id of this kind. */
function spell(kind: IdKind): string {
  const letters = spelled[kind];
  let at = letters.length - bodyLength;
  let buffer = 0;
  // 26 characters hold 130 bits: two leading zero bits, then the 128.
  let bits = 2;
  for (let index = 0; index < bits128.length; index++) {
    buffer = (buffer << 8) | (bits128[index] as number);
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      letters[at++] = alphabetCodes[(buffer >>> bits) & 31] as number;
    }
    buffer &= (1 << bits) - 1;
  }
  return letters.toString("latin1");
}

function mapKinds<T>(of: (prefix: string) => T): Readonly<Record<IdKind, T>> {
  return Object.fromEntries(Object.entries(idPrefixes).map(([kind, prefix]) => [kind, of(prefix)])) as Record<IdKind, T>;
}
