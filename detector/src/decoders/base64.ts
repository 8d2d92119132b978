/**
 * Words in base64 (RFC 4648 sections 4 and 5) of eighteen characters or more: thirteen digits are that long.
 *
 * Where in a word the encoding began is not known ("/v1/tokens/NDI0…": the slash belongs to the alphabet), so a word is read at each of the four
 * places it may have begun; what is read at a wrong one is noise. Lines of mail and of PEM (60 characters or more) belong together.
 *
 * A word without capital letters is no base64: digits, blanks and JSON give some in every four characters, packed bytes by all odds. Ids, hashes and uuids
 * have none, and are what this would otherwise spend its time on.
 */
import { mayHoldNumber } from "../survey.ts";
import type { OnDecoded } from "./decoder.ts";

export const wordMin = 18;
const lineMin = 60;
/** Ids and keys: words up to this length are read in the same room every time. What is handed on is a copy, for decoders nest. */
const shortMax = 256;
const shortSextets = new Uint8Array(shortMax);
const shortDecoded = new Uint8Array(shortMax);
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const none = 255;

/** Value of a character, in either alphabet. */
export const sextetOf: Uint8Array = new Uint8Array(256).fill(none);
for (let value = 0; value < alphabet.length; value++) sextetOf[alphabet.charCodeAt(value)] = value;
for (const [character, value] of [
  ["+", 62],
  ["-", 62],
  ["/", 63],
  ["_", 63],
] as const)
  sextetOf[character.charCodeAt(0)] = value;

export function decodeBase64(bytes: Uint8Array, onDecoded: OnDecoded): void {
  const { length } = bytes;
  let index = 0;
  while (index < length) {
    if (sextetOf[bytes[index] as number] === none) {
      index += 1;
      continue;
    }
    const start = index;
    const end = endOfWord(bytes, start);
    index = end;
    if (end - start >= wordMin && hasCapital(bytes, start, end)) decodeWord(bytes, start, end, onDecoded);
  }
}

function hasCapital(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if ((sextetOf[bytes[index] as number] as number) < 26) return true;
  return false;
}

function decodeWord(bytes: Uint8Array, start: number, end: number, onDecoded: OnDecoded): void {
  const isShort = end - start <= shortMax;
  const sextets = isShort ? shortSextets : new Uint8Array(end - start);
  const length = readSextets(bytes, start, end, sextets);
  const decoded = isShort ? shortDecoded : new Uint8Array(Math.ceil((length * 3) / 4));
  for (let phase = 0; phase < 4; phase++) {
    const size = decodeFrom(sextets, length, phase, decoded);
    if (!mayHoldNumber(decoded, size)) continue;
    onDecoded(decoded.slice(0, size), "base64", (at) => start + phase + Math.floor((at * 4) / 3));
    if (isShort) readSextets(bytes, start, end, sextets);
  }
}

/** Where the word ends; line breaks behind full lines are within it. */
function endOfWord(bytes: Uint8Array, start: number): number {
  let lineStart = start;
  let index = start;
  for (;;) {
    while (index < bytes.length && sextetOf[bytes[index] as number] !== none) index += 1;
    if (index - lineStart < lineMin) return index;
    let next = index;
    if (bytes[next] === 0x0d) next += 1;
    if (bytes[next] !== 0x0a || sextetOf[bytes[next + 1] ?? 0] === none) return index;
    index = next + 1;
    lineStart = index;
  }
}

/** How many there are. */
function readSextets(bytes: Uint8Array, start: number, end: number, sextets: Uint8Array): number {
  let size = 0;
  for (let index = start; index < end; index++) {
    const value = sextetOf[bytes[index] as number] as number;
    if (value !== none) sextets[size++] = value;
  }
  return size;
}

/** Bytes written. An incomplete last group gives what it holds. */
function decodeFrom(sextets: Uint8Array, length: number, phase: number, decoded: Uint8Array): number {
  let size = 0;
  let index = phase;
  for (; index + 3 < length; index += 4) {
    const group =
      ((sextets[index] as number) << 18) |
      ((sextets[index + 1] as number) << 12) |
      ((sextets[index + 2] as number) << 6) |
      (sextets[index + 3] as number);
    decoded[size] = group >> 16;
    decoded[size + 1] = (group >> 8) & 255;
    decoded[size + 2] = group & 255;
    size += 3;
  }
  const rest = length - index;
  if (rest >= 2) decoded[size++] = (((sextets[index] as number) << 2) | ((sextets[index + 1] as number) >> 4)) & 255;
  if (rest >= 3) decoded[size++] = (((sextets[index + 1] as number) << 4) | ((sextets[index + 2] as number) >> 2)) & 255;
  return size;
}
