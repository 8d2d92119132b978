import { expect, test } from "vitest";
import { characterSets } from "./character-set.ts";

/**
 * Blank to tilde as glibc writes them (`iconv -f ASCII -t IBM037` and `-t IBM1047`, 2.36); the codec cp037 of Python says the same of the first.
 */
const blankToTilde = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index)).join("");
const glibc = {
  cp037:
    "405a7f7b5b6c507d4d5d5c4e6b604b61 f0f1f2f3f4f5f6f7f8f97a5e4c7e6e6f 7cc1c2c3c4c5c6c7c8c9d1d2d3d4d5d6 d7d8d9e2e3e4e5e6e7e8e9bae0bbb06d" +
    "79818283848586878889919293949596 979899a2a3a4a5a6a7a8a9c04fd0a1",
  cp1047:
    "405a7f7b5b6c507d4d5d5c4e6b604b61 f0f1f2f3f4f5f6f7f8f97a5e4c7e6e6f 7cc1c2c3c4c5c6c7c8c9d1d2d3d4d5d6 d7d8d9e2e3e4e5e6e7e8e9ade0bd5f6d" +
    "79818283848586878889919293949596 979899a2a3a4a5a6a7a8a9c04fd0a1",
} as const;

test.each(Object.entries(glibc))("%s has every character of ASCII where others have it, both ways, and no other", (name, row) => {
  const { toWire, toAscii } = characterSets[name as keyof typeof glibc];
  const bytes = [...Buffer.from(row.replaceAll(" ", ""), "hex")];
  expect([...blankToTilde].map((character) => toWire[character.charCodeAt(0)])).toEqual(bytes);
  expect(bytes.map((byte) => String.fromCharCode(toAscii[byte] ?? 0)).join("")).toBe(blankToTilde);
  expect([toWire.filter((byte) => byte !== 0).length, toAscii.filter((code) => code !== 0).length]).toEqual([95, 95]);
});
