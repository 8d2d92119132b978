/**
 * Card numbers in a piece of bytes, in clear and through every decoder, one inside another.
 *
 * Bounded whatever the input is: decoding nests at most `depthMax` deep, and all that is decoded is at most `growthMax` times the input. What a bound
 * kept from being read is told as `unread`, never left out in silence.
 *
 * No I/O, no clock: the same bytes give the same findings. A finding has the place and the mask of a number, not the number.
 */
import { brandOf, type CardBrand, maskCardNumber } from "@florin/kernel";
import { digitsMin, isCardNumber } from "./card-number-shape.ts";
import { decodeBase64, wordMin } from "./decoders/base64.ts";
import { decodeByteLists } from "./decoders/byte-list.ts";
import type { Encoding, OnDecoded, ToSource } from "./decoders/decoder.ts";
import { decodeEscapes } from "./decoders/escapes.ts";
import { decodeHex } from "./decoders/hex.ts";
import { decodePacked, type Unpacking } from "./decoders/packed.ts";
import { decodeUtf16, decodeWideDigits } from "./decoders/wide.ts";
import { findPlainNumbers } from "./plain-numbers.ts";
import { surveyOf } from "./survey.ts";

export type { Encoding } from "./decoders/decoder.ts";

export type Finding = {
  /** First byte of what holds the number in the input, and the first behind it; near it where an encoding does not tell exactly. */
  readonly start: number;
  readonly end: number;
  /** Outermost first; empty: in clear. */
  readonly encodings: readonly Encoding[];
  /** At most the first six and the last four digits (PCI DSS 3.4.1). */
  readonly masked: string;
  readonly brand: CardBrand;
  /** One of those that `isTestNumber` knows. */
  readonly isTestNumber: boolean;
};

/** Bytes at `at` that were not read. */
export type Unread = { readonly at: number; readonly why: string };
export type Report = { readonly findings: readonly Finding[]; readonly unread: readonly Unread[] };

export type FindOptions = {
  /** Tells published test numbers from others. `digits` are ASCII. */
  readonly isTestNumber?: (digits: Uint8Array) => boolean;
  /** Stops at the first. */
  readonly isFirstEnough?: boolean;
};

const depthMax = 5;
const growthMax = 8;
const growthAlways = 1_048_576;
const unpackedMax = 33_554_432;
const triesMax = 256;
/** Findings in one piece; there is little to learn from more. */
const findingsMax = 10_000;

type Search = {
  readonly o: FindOptions;
  readonly findings: Finding[];
  readonly unread: Unread[];
  readonly unpacking: Unpacking;
  bytesLeft: number;
};

export function findCardNumbers(bytes: Uint8Array, options: FindOptions = {}): Report {
  const search: Search = {
    o: options,
    findings: [],
    unread: [],
    unpacking: { triesLeft: triesMax, unpackedMax },
    bytesLeft: bytes.length * growthMax + growthAlways,
  };
  searchIn(search, bytes, [], (index) => index);
  search.findings.sort((a, b) => a.start - b.start);
  return search;
}

function isDone({ o, findings }: Search): boolean {
  return findings.length >= (o.isFirstEnough === true ? 1 : findingsMax);
}

function searchIn(search: Search, bytes: Uint8Array, encodings: readonly Encoding[], toSource: ToSource): void {
  const { digits, longestWord, zeros, commas, hasEscape, hasWideDigit, hasMagic } = surveyOf(bytes);
  if (digits >= digitsMin)
    findPlainNumbers(bytes, (start, end, number) => note(search, number, encodings, toSource(start), toSource(end - 1) + 1));
  const into: OnDecoded = (decoded, encoding, toHere) => {
    if (isDone(search)) return;
    const place = (index: number): number => toSource(toHere(index));
    if (encodings.length === depthMax || search.bytesLeft < decoded.length) tellUnread(search, decoded, place);
    else {
      search.bytesLeft -= decoded.length;
      searchIn(search, decoded, [...encodings, encoding], place);
    }
  };
  if (longestWord >= wordMin) decodeBase64(bytes, into);
  if (longestWord >= 2 * digitsMin || digits >= digitsMin) decodeHex(bytes, into);
  if (digits >= 2 * digitsMin && commas >= digitsMin - 1) decodeByteLists(bytes, into);
  if (hasEscape && digits >= digitsMin) decodeEscapes(bytes, into);
  if (hasWideDigit) decodeWideDigits(bytes, into);
  if (zeros >= digitsMin - 1) decodeUtf16(bytes, into);
  if (hasMagic) decodePacked(bytes, search.unpacking, into, (at, why) => void search.unread.push({ at: toSource(at), why }));
}

/** Noise that was decoded at a wrong place is no loss; what a decoder would go on with is. */
function tellUnread(search: Search, decoded: Uint8Array, place: ToSource): void {
  const { digits, longestWord, hasMagic } = surveyOf(decoded);
  if (digits >= digitsMin || longestWord >= wordMin || hasMagic)
    search.unread.push({ at: place(0), why: "nested deeper, or decoded larger, than is looked into" });
}

/** What two decoders see, or a decoder and the bare bytes, is one number. */
function note(search: Search, digits: Uint8Array, encodings: readonly Encoding[], start: number, end: number): void {
  if (!isCardNumber(digits) || isDone(search)) return;
  const masked = maskCardNumber(digits);
  const isKnown = search.findings.some((known) => start < known.end && known.start < end && known.masked === masked);
  if (isKnown) return;
  const isTestNumber = search.o.isTestNumber?.(digits) ?? false;
  search.findings.push({ start, end, encodings, masked, brand: brandOf(digits), isTestNumber });
}
