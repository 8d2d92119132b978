/**
 * Characters on the wire: ASCII and two EBCDIC code pages, printable characters only.
 *
 * The pages differ in brackets and the caret alone (of what ASCII has). Source: IBM's published tables of CCSID 37 and 1047.
 */

export type CharacterSetName = "ascii" | "cp037" | "cp1047";

export type CharacterSet = {
  /** By ASCII code; 0 where there is no such character. */
  readonly toWire: Uint8Array;
  /** By byte on the wire; 0 where there is no printable character. */
  readonly toAscii: Uint8Array;
};

const firstPrintable = 0x20;
const lastPrintable = 0x7e;

/** Blank to tilde, in the order of ASCII. */
const printableOfCp037 = Buffer.from(
  "405a7f7b5b6c507d4d5d5c4e6b604b61f0f1f2f3f4f5f6f7f8f97a5e4c7e6e6f7cc1c2c3c4c5c6c7c8c9d1d2d3d4d5d6d7d8d9e2e3e4e5e6e7e8e9" +
    "bae0bbb06d79818283848586878889919293949596979899a2a3a4a5a6a7a8a9c04fd0a1",
  "hex",
);
const differencesOfCp1047: Readonly<Record<string, number>> = { "[": 0xad, "]": 0xbd, "^": 0x5f };

export const characterSets: Readonly<Record<CharacterSetName, CharacterSet>> = {
  ascii: characterSet((code) => code),
  cp037: characterSet((code) => printableOfCp037[code - firstPrintable] as number),
  cp1047: characterSet((code) => differencesOfCp1047[String.fromCharCode(code)] ?? (printableOfCp037[code - firstPrintable] as number)),
};

function characterSet(byteOf: (code: number) => number): CharacterSet {
  const toWire = new Uint8Array(128);
  const toAscii = new Uint8Array(256);
  for (let code = firstPrintable; code <= lastPrintable; code++) {
    const byte = byteOf(code);
    toWire[code] = byte;
    toAscii[byte] = code;
  }
  return { toWire, toAscii };
}
