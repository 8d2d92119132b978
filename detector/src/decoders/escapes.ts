/**
 * Characters written as escapes: `%34` of URLs, `\u0034`, `\x34` and `\"` of JSON and programs, `&#52;` and `&#x34;` of HTML, `=34` of mail.
 *
 * Everything else is copied, so that a number of which only a part is escaped is whole again. One level is undone; JSON inside JSON comes back
 * here with the next. Only characters of ASCII are of interest: a larger one becomes a question mark.
 */
import { hexValue } from "../byte-kind.ts";
import type { OnDecoded, ToSource } from "./decoder.ts";

const none = 255;
const percent = 0x25;
const backslash = 0x5c;
const ampersand = 0x26;
const equals = 0x3d;
const unknown = 0x3f;

const simple: Readonly<Record<number, number>> = { 110: 0x0a, 114: 0x0d, 116: 0x09, 34: 0x22, 39: 0x27, 47: 0x2f, 92: 0x5c };

/** The character that the escape at `index` stands for, and its length; a `size` of 0: there is no escape. */
type Escape = { value: number; size: number };

/** Text without escapes that goes along on either side of one (bytes): what a number and its neighbours may fill. */
const marginMax = 160;

export function decodeEscapes(bytes: Uint8Array, onDecoded: OnDecoded): void {
  const found: Escape = { value: 0, size: 0 };
  let start = -1;
  let end = 0;
  for (let index = 0; index < bytes.length; index += Math.max(1, found.size)) {
    readEscape(bytes, index, found);
    if (found.size === 0) continue;
    if (start !== -1 && index - end > 2 * marginMax) {
      decodeStretch(bytes, start, end, onDecoded);
      start = -1;
    }
    if (start === -1) start = index;
    end = index + found.size;
  }
  if (start !== -1) decodeStretch(bytes, start, end, onDecoded);
}

function decodeStretch(bytes: Uint8Array, firstEscape: number, lastEnd: number, onDecoded: OnDecoded): void {
  const start = Math.max(0, firstEscape - marginMax);
  const stretch = bytes.subarray(start, lastEnd + marginMax);
  const decoded = new Uint8Array(stretch.length);
  const found: Escape = { value: 0, size: 0 };
  let size = 0;
  for (let index = 0; index < stretch.length; index += Math.max(1, found.size)) {
    readEscape(stretch, index, found);
    decoded[size++] = found.size > 0 ? found.value : (stretch[index] as number);
  }
  const walk = walkBack(stretch);
  onDecoded(decoded.subarray(0, size), "escapes", (index) => start + walk(index));
}

function readEscape(bytes: Uint8Array, index: number, found: Escape): void {
  found.size = 0;
  const first = bytes[index];
  if (first === percent || first === equals) readPair(bytes, index, 1, found);
  else if (first === backslash) readBackslash(bytes, index, found);
  else if (first === ampersand) readReference(bytes, index, found);
}

/** Two hex characters at `offset` behind the beginning. */
function readPair(bytes: Uint8Array, index: number, offset: number, found: Escape): void {
  const high = hexValue[bytes[index + offset] ?? 0] as number;
  const low = hexValue[bytes[index + offset + 1] ?? 0] as number;
  if (high === none || low === none) return;
  // "card=42…" is no mail: there, a digit that is escaped has others beside it.
  if (bytes[index] === equals && bytes[index + 3] !== equals && bytes[index - 3] !== equals) return;
  found.value = (high << 4) | low;
  found.size = offset + 2;
}

function readBackslash(bytes: Uint8Array, index: number, found: Escape): void {
  const kind = bytes[index + 1] ?? 0;
  const value = simple[kind];
  if (kind === 0x78) readPair(bytes, index, 2, found);
  else if (kind === 0x75) readUnicode(bytes, index, found);
  else if (value !== undefined) {
    found.value = value;
    found.size = 2;
  }
}

function readUnicode(bytes: Uint8Array, index: number, found: Escape): void {
  let value = 0;
  for (let at = index + 2; at < index + 6; at++) {
    const one = hexValue[bytes[at] ?? 0] as number;
    if (one === none) return;
    value = value * 16 + one;
  }
  // The digits of East Asian keyboards.
  if (value >= 0xff10 && value <= 0xff19) value -= 0xff10 - 0x30;
  found.value = value < 256 ? value : unknown;
  found.size = 6;
}

const referenceMax = 10;

function readReference(bytes: Uint8Array, index: number, found: Escape): void {
  if (bytes[index + 1] !== 0x23) return;
  const isHex = ((bytes[index + 2] ?? 0) | 0x20) === 0x78;
  const base = isHex ? 16 : 10;
  let value = 0;
  for (let at = index + (isHex ? 3 : 2); at < index + referenceMax; at++) {
    if (bytes[at] === 0x3b) {
      found.value = value < 256 ? value : unknown;
      found.size = at + 1 - index;
      return;
    }
    const one = hexValue[bytes[at] ?? 0] as number;
    if (one >= base) return;
    value = value * base + one;
  }
}

/** Walks the source once more, as far as it is asked: numbers are rare. */
function walkBack(bytes: Uint8Array): ToSource {
  const found: Escape = { value: 0, size: 0 };
  let decoded = 0;
  let source = 0;
  return (index) => {
    if (index < decoded) decoded = source = 0;
    while (decoded < index && source < bytes.length) {
      readEscape(bytes, source, found);
      source += Math.max(1, found.size);
      decoded += 1;
    }
    return source;
  };
}
