/**
 * Bytes written as pairs of hex characters: in one word ("34323432…", also PostgreSQL's bytea), or parted as dumps and the inspection of a Buffer
 * write them ("34 32", "34:32", "0x34, 0x32").
 *
 * A word is read at both places a pair may begin, because what stands before it may be glued to it.
 */
import { hexValue } from "../byte-kind.ts";
import { mayHoldNumber } from "../survey.ts";
import type { OnDecoded } from "./decoder.ts";

/** Hex characters of thirteen digits. */
const charactersMin = 26;
const none = 255;
const zero = 0x30;
const lowX = 0x78;

export function decodeHex(bytes: Uint8Array, onDecoded: OnDecoded): void {
  const { length } = bytes;
  const dump = createDump(bytes, onDecoded);
  for (let index = 0; index < length; ) {
    if (hexValue[bytes[index] as number] === none) {
      index += 1;
      continue;
    }
    const start = index;
    do index += 1;
    while (index < length && hexValue[bytes[index] as number] !== none);
    const size = index - start;
    if (size === 2) dump.add(start);
    // The "0" of "0x34" is a word of its own.
    else if (size !== 1 || ((bytes[index] ?? 0) | 0x20) !== lowX) dump.end();
    if (size >= charactersMin) decodeWord(bytes, start, index, onDecoded);
  }
  dump.end();
}

function decodeWord(bytes: Uint8Array, start: number, end: number, onDecoded: OnDecoded): void {
  for (const first of [start, start + 1]) {
    const decoded = new Uint8Array((end - first) >> 1);
    for (let at = 0; at < decoded.length; at++) decoded[at] = pairAt(bytes, first + 2 * at);
    if (mayHoldNumber(decoded, decoded.length)) onDecoded(decoded, "hex", (at) => first + 2 * at);
  }
}

type Dump = { add(start: number): void; end(): void };

/** Pairs with something between them: one to four bytes that dumps put there, and "0x". */
function createDump(bytes: Uint8Array, onDecoded: OnDecoded): Dump {
  let places: number[] = [];
  const end = (): void => {
    const found = places;
    if (found.length === 0) return;
    places = [];
    if (found.length < charactersMin / 2) return;
    const decoded = Uint8Array.from(found, (place) => pairAt(bytes, place));
    onDecoded(decoded, "hex", (at) => found[Math.min(at, found.length - 1)] as number);
  };
  return {
    end,
    add(start) {
      const last = places.at(-1);
      if (last !== undefined && !isBetweenPairs(bytes, last + 2, start)) end();
      places.push(start);
    },
  };
}

const partings: ReadonlySet<number> = new Set([..." ,:-\r\n\t;|"].map((character) => character.charCodeAt(0)));

function isBetweenPairs(bytes: Uint8Array, end: number, start: number): boolean {
  const isPrefixed = bytes[start - 2] === zero && ((bytes[start - 1] ?? 0) | 0x20) === lowX;
  const until = isPrefixed ? start - 2 : start;
  if (until - end < 1 || until - end > 4) return false;
  for (let index = end; index < until; index++) if (!partings.has(bytes[index] as number)) return false;
  return true;
}

function pairAt(bytes: Uint8Array, index: number): number {
  return (((hexValue[bytes[index] ?? 0] as number) << 4) | (hexValue[bytes[index + 1] ?? 0] as number)) & 255;
}
