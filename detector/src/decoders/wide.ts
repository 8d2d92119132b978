/** Digits in more than one byte: UTF-16 and UTF-32 of either order (zeros between the characters), and full-width digits in UTF-8. */
import { byteKind, digit } from "../byte-kind.ts";
import type { OnDecoded } from "./decoder.ts";

/** Characters of thirteen digits. */
const charactersMin = 13;

/** Stretches in which every second byte, or three of four, are zero: the others, as one text. */
export function decodeUtf16(bytes: Uint8Array, onDecoded: OnDecoded): void {
  for (const stride of [2, 4]) {
    for (let phase = 0; phase < stride; phase++) decodeStride(bytes, stride, phase, onDecoded);
  }
}

function decodeStride(bytes: Uint8Array, stride: number, phase: number, onDecoded: OnDecoded): void {
  const { length } = bytes;
  for (let index = phase; index + stride <= length; ) {
    if (!isWideAt(bytes, index, stride)) {
      index += stride;
      continue;
    }
    const start = index;
    do index += stride;
    while (index + stride <= length && isWideAt(bytes, index, stride));
    // The last character of all in big-endian order has its zeros before it, and none behind.
    const isCut = index < length && bytes[index] !== 0 && index + stride > length;
    const size = (index - start) / stride + (isCut ? 1 : 0);
    if (size < charactersMin) continue;
    const decoded = new Uint8Array(size);
    for (let at = 0; at < size; at++) decoded[at] = bytes[start + at * stride] as number;
    onDecoded(decoded, "utf-16", (at) => start + at * stride);
  }
}

/** A character and the zeros behind it. In big-endian order the zeros before the next character take their place. */
function isWideAt(bytes: Uint8Array, index: number, stride: number): boolean {
  if (bytes[index] === 0) return false;
  for (let at = index + 1; at < index + stride; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** Full-width digits (U+FF10 to U+FF19) and no-break blanks become what they look like. */
export function decodeWideDigits(bytes: Uint8Array, onDecoded: OnDecoded): void {
  const decoded = new Uint8Array(bytes.length);
  let size = 0;
  let narrowed = 0;
  for (let index = 0; index < bytes.length; ) {
    const last = bytes[index + 2] ?? 0;
    if (bytes[index] === 0xef && bytes[index + 1] === 0xbc && last >= 0x90 && last <= 0x99) {
      decoded[size++] = last - 0x60;
      index += 3;
      narrowed += 1;
    } else decoded[size++] = bytes[index++] as number;
  }
  if (narrowed < charactersMin) return;
  onDecoded(decoded.subarray(0, size), "wide digits", walkBack(bytes));
}

function walkBack(bytes: Uint8Array): (index: number) => number {
  let decoded = 0;
  let source = 0;
  return (index) => {
    if (index < decoded) decoded = source = 0;
    while (decoded < index && source < bytes.length) {
      const isWide = bytes[source] === 0xef && bytes[source + 1] === 0xbc && byteKind[(bytes[source + 2] ?? 0x60) - 0x60] === digit;
      source += isWide ? 3 : 1;
      decoded += 1;
    }
    return source;
  };
}
