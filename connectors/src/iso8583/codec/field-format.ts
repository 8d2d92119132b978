/**
 * The format of a data element in the notation of the standard, read once when a dialect is made.
 *
 * `n6` is six digits, `n..19` up to 19 digits behind a prefix of two (LLVAR), `ans...999` behind one of three (LLLVAR), `b64` 64 bits,
 * `b...255` up to 255 bytes behind a prefix of three, `x+n8` a sign (C or D) and eight digits.
 */
import { assert, required } from "@florin/kernel";

const contents = ["a", "n", "an", "ans", "z", "b", "x+n"] as const;
/** a letters, n digits, s other printable characters, z the code set of track 2, b bits, x+n a signed amount. Letters and digits may be padded with blanks. */
export type Content = (typeof contents)[number];

export type FieldFormat = {
  readonly content: Content;
  /** Digits of the length prefix; 0: fixed length. */
  readonly prefixDigits: 0 | 2 | 3;
  /** Characters, or bytes of binary data. The sign of a signed amount counts. */
  readonly lengthMax: number;
};

const notation = /^(x\+n|ans|an|a|n|z|b)(\.{2,3})?(\d{1,3})$/;

/** Throws on a text that is no format: dialects are part of the program. */
export function parseFormat(text: string): FieldFormat {
  const match = notation.exec(text);
  assert(match !== null, `${text} is a format`);
  const content = required(
    contents.find((one) => one === match[1]),
    "a content of the notation",
  );
  const prefixDigits = match[2] === undefined ? 0 : match[2].length === 2 ? 2 : 3;
  const given = Number(match[3]);
  assert(given > 0 && (prefixDigits === 0 || given < 10 ** prefixDigits), `${text} has a length that its prefix can say`);
  return { content, prefixDigits, lengthMax: lengthOf(content, prefixDigits, given) };
}

function lengthOf(content: Content, prefixDigits: number, given: number): number {
  if (content === "x+n") return given + 1;
  if (content !== "b" || prefixDigits > 0) return given;
  assert(given % 8 === 0, "bits come in bytes");
  return given / 8;
}
