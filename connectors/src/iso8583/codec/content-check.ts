/** Which characters a content may have, by a table of bits: one look per character. */
import type { Content } from "./field-format.ts";

const digit = 1;
const letter = 2;
const blank = 4;
const special = 8;
/** Separator of track 2; `D` is its letter where tracks are written in hexadecimal. */
const separator = 16;
const sign = 32;

const kinds = new Uint8Array(256);
for (let code = 0x21; code <= 0x7e; code++) kinds[code] = special;
for (let code = 0x30; code <= 0x39; code++) kinds[code] = digit;
for (let code = 0x41; code <= 0x5a; code++) kinds[code] = kinds[code + 0x20] = letter;
kinds[0x20] = blank;
kinds[0x3d] = special | separator;
kinds[0x43] = kinds[0x44] = letter | sign;

const allowed: Readonly<Record<Exclude<Content, "b">, number>> = {
  a: letter | blank,
  n: digit,
  an: letter | digit | blank,
  ans: letter | digit | blank | special,
  z: digit | separator,
  "x+n": digit,
};

/** True when all of the first `count` ASCII codes may stand in `content`. */
export function isContent(content: Exclude<Content, "b">, codes: Uint8Array, count: number): boolean {
  const mask = allowed[content];
  let index = 0;
  if (content === "x+n") {
    if (count === 0 || ((kinds[codes[0] as number] as number) & sign) === 0) return false;
    index = 1;
  }
  for (; index < count; index++) if (((kinds[codes[index] as number] as number) & mask) === 0) return false;
  return true;
}
