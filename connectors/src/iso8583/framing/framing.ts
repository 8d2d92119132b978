/**
 * How messages follow each other on a stream: what stands before each of them. Knows lengths, no fields.
 *
 * A header is the length in two binary bytes (higher first) or in four ASCII digits, and may count itself. Between length and message a
 * processor may want bytes of its own (a TPDU): the same for every request, anything in a reply.
 */
import { assert } from "@florin/kernel";

export type Framing = {
  readonly length: "binary-2" | "ascii-4" | "none";
  /** True: the length counts its own bytes too. */
  readonly countsItself: boolean;
  /** Sent before every message and counted by the length; as many bytes are taken off each reply. */
  readonly preamble: Uint8Array;
};

const noBytes = new Uint8Array();

export const framings = {
  binary: { length: "binary-2", countsItself: false, preamble: noBytes },
  ascii: { length: "ascii-4", countsItself: false, preamble: noBytes },
  none: { length: "none", countsItself: false, preamble: noBytes },
} as const satisfies Readonly<Record<string, Framing>>;

const zero = 0x30;

/** Bytes before a message, with the preamble. */
export function headerBytes({ length, preamble }: Framing): number {
  return lengthBytes(length) + preamble.length;
}

export function lengthBytes(length: Framing["length"]): 0 | 2 | 4 {
  return length === "none" ? 0 : length === "binary-2" ? 2 : 4;
}

/** The longest message that a header can announce. */
export function messageBytesMaxOf(framing: Framing): number {
  const most = { "binary-2": 0xffff, "ascii-4": 9_999, none: Number.MAX_SAFE_INTEGER }[framing.length];
  return most - framing.preamble.length - (framing.countsItself ? lengthBytes(framing.length) : 0);
}

/** Writes the header of a message of `messageLength` bytes at the start of `target`. */
export function writeHeader(framing: Framing, messageLength: number, target: Uint8Array): void {
  assert(messageLength <= messageBytesMaxOf(framing), "a message is no longer than its header can say");
  const bytes = lengthBytes(framing.length);
  const said = messageLength + framing.preamble.length + (framing.countsItself ? bytes : 0);
  if (bytes === 2) {
    target[0] = said >> 8;
    target[1] = said & 0xff;
  } else if (bytes === 4) {
    for (let index = 3, rest = said; index >= 0; index--, rest = Math.floor(rest / 10)) target[index] = zero + (rest % 10);
  }
  target.set(framing.preamble, bytes);
}

/** What the length at `at` says follows it, preamble and message; -1 when it is no length. */
export function readLength(framing: Framing, bytes: Uint8Array, at: number): number {
  const width = lengthBytes(framing.length);
  let said = 0;
  if (width === 2) said = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  else {
    for (let index = at; index < at + width; index++) {
      const digit = (bytes[index] as number) - zero;
      if (digit < 0 || digit > 9) return -1;
      said = said * 10 + digit;
    }
  }
  return framing.countsItself ? said - width : said;
}
