/** Bytes written as a list of decimals, which is how a Buffer and a Uint8Array look in JSON: `[52,50,…]`, `{"0":52,"1":50,…}`. */
import { byteKind, digit } from "../byte-kind.ts";
import type { OnDecoded } from "./decoder.ts";

/** Members of thirteen digits. */
const membersMin = 13;
/** Between two members: `, ` or `,"12":`, and what indenting adds. */
const betweenMax = 24;
const index = /^\s*,\s*(?:\\{0,7}"\d{1,7}\\{0,7}"\s*:\s*)?$/;

export function decodeByteLists(bytes: Uint8Array, onDecoded: OnDecoded): void {
  const { length } = bytes;
  const decoded: number[] = [];
  const places: number[] = [];
  let lastEnd = -1;
  const end = (): void => {
    if (decoded.length >= membersMin) onDecoded(Uint8Array.from(decoded), "byte list", (at) => places[at] ?? lastEnd);
    decoded.length = 0;
    places.length = 0;
  };
  for (let at = 0; at < length; at++) {
    if (byteKind[bytes[at] as number] !== digit) continue;
    const start = at;
    let value = 0;
    while (at < length && byteKind[bytes[at] as number] === digit) value = Math.min(value * 10 + (bytes[at++] as number) - 0x30, 1_000);
    // The key of a member, not a member.
    if (bytes[at] === 0x22 || bytes[at] === 0x5c) continue;
    if (value > 255 || (lastEnd !== -1 && !isBetween(bytes, lastEnd, start))) end();
    if (value <= 255) {
      decoded.push(value);
      places.push(start);
    }
    lastEnd = at;
  }
  end();
}

const comma = 0x2c;
const space = 0x20;

function isBetween(bytes: Uint8Array, end: number, start: number): boolean {
  if (start - end === 1) return bytes[end] === comma;
  // Looked at before the pattern is, because most texts are no lists.
  if (start - end > betweenMax || (bytes[end] !== comma && (bytes[end] as number) > space)) return false;
  return index.test(String.fromCharCode(...bytes.subarray(end, start)));
}
