/**
 * Card numbers that stand in the bytes as ASCII digits: in one run, or in groups (digit-groups.ts has what counts as one number).
 *
 * A run counts when nothing around it says that it is a part of something else: a hex word (a hash, a trace id), an id in which letters and
 * digits alternate, the fraction of a decimal. Digits glued to a number hide it: "twenty digits" are not sixteen and four.
 *
 * One pass from left to right; what it looks at around a run is bounded, so any input takes time in proportion to its length.
 */
import { byteKind, digit, hexValue, kindAt, letter } from "./byte-kind.ts";
import { digitsMax, digitsMin, isCardNumber, roomFor } from "./card-number-shape.ts";
import { createGroupReader } from "./digit-groups.ts";

/** A number was found between `start` and `end` (not included). `digits` are overwritten by the next. */
export type OnNumber = (start: number, end: number, digits: Uint8Array) => void;

const underscore = 0x5f;
const dash = 0x2d;
const point = 0x2e;
const equals = 0x3d;
/** Letters beside a number belong to its word up to here; nobody writes a longer word before a number. */
const lettersMax = 40;
/** Hex characters of span ids, trace ids, SHA-1 and SHA-256. */
const hexIdLengths: ReadonlySet<number> = new Set([16, 32, 40, 64]);
const hexIdMax = 64;
/** What `hexValue` has for a byte that is no hex character. */
const none = 255;
const traceIdLength = 32;

export function findPlainNumbers(bytes: Uint8Array, onNumber: OnNumber): void {
  const groups = createGroupReader(bytes, onNumber);
  const { length } = bytes;
  let index = 0;
  while (index < length) {
    if (byteKind[bytes[index] as number] !== digit) {
      index += 1;
      continue;
    }
    const start = index;
    do index += 1;
    while (index < length && byteKind[bytes[index] as number] === digit);
    const size = index - start;
    if (size >= digitsMin && size <= digitsMax) findInRun(bytes, start, index, onNumber);
    if (size >= digitsMax) groups.end();
    else if (!isInWord(bytes, start, index)) groups.add(start, index);
  }
  groups.end();
}

/** Part of a name or of an id: "part1", "v2", "3ff". */
function isInWord(bytes: Uint8Array, start: number, end: number): boolean {
  if (kindAt(bytes, start - 1) === letter || kindAt(bytes, end) === letter) return true;
  return bytes[start - 1] === underscore || bytes[end] === underscore;
}

function findInRun(bytes: Uint8Array, start: number, end: number, onNumber: OnNumber): void {
  const digits = roomFor(end - start);
  for (let index = start; index < end; index++) digits[index - start] = bytes[index] as number;
  if (!isCardNumber(digits) || isFraction(bytes, start) || isSpanOfTraceparent(bytes, start)) return;
  if (standsAlone(bytes, start, end) || (isTrackTwo(bytes, end) && !isInHexId(bytes, start, end))) onNumber(start, end, digits);
}

/** "0.4242…": what floats look like in metrics and reports. */
function isFraction(bytes: Uint8Array, start: number): boolean {
  return bytes[start - 1] === point && kindAt(bytes, start - 2) === digit;
}

/** The span id of a W3C traceparent: sixteen hex characters, by chance all of them digits, behind the thirty-two of the trace. */
function isSpanOfTraceparent(bytes: Uint8Array, start: number): boolean {
  if (bytes[start - 1] !== dash) return false;
  const traceStart = start - 1 - traceIdLength;
  for (let index = start - 2; index >= traceStart; index--) if (hexValue[bytes[index] ?? 0] === none) return false;
  return bytes[traceStart - 1] === dash;
}

/** Letters on either side may be a word that somebody forgot to part from the number; behind them there must be no digits again. */
function standsAlone(bytes: Uint8Array, start: number, end: number): boolean {
  let first = start;
  let last = end;
  let isHex = true;
  while (kindAt(bytes, first - 1) === letter && start - first < lettersMax) isHex = hexValue[bytes[--first] as number] !== none && isHex;
  while (kindAt(bytes, last) === letter && last - end < lettersMax) isHex = hexValue[bytes[last++] as number] !== none && isHex;
  if (kindAt(bytes, first - 1) === digit || kindAt(bytes, last) === digit) return false;
  const size = last - first;
  return size === end - start || !isHex || !hexIdLengths.has(size);
}

/** Behind the number "=" or "D", then expiry (YYMM) and service code: ISO/IEC 7813. */
function isTrackTwo(bytes: Uint8Array, end: number): boolean {
  const separator = bytes[end];
  if (separator !== equals && separator !== 0x44 && separator !== 0x64) return false;
  for (let index = end + 1; index <= end + 7; index++) if (kindAt(bytes, index) !== digit) return false;
  const month = ((bytes[end + 3] as number) - 0x30) * 10 + (bytes[end + 4] as number) - 0x30;
  return month >= 1 && month <= 12;
}

/** A hash holds by chance what track 2 looks like ("…f" number "d0611857ac…"). Track 2 itself has no letters but its separator and an "F" that pads it. */
function isInHexId(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[end] === equals) return false;
  let first = start;
  let last = end;
  while (hexValue[bytes[first - 1] ?? 0] !== none && last - first <= hexIdMax) first -= 1;
  while (hexValue[bytes[last] ?? 0] !== none && last - first <= hexIdMax) last += 1;
  if (!hexIdLengths.has(last - first)) return false;
  if (first < start) return true;
  for (let index = end + 1; index < last - 1; index++) if (kindAt(bytes, index) === letter) return true;
  return false;
}
