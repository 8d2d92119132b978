/** Whatever the input is, a search of it ends, and finds what is behind it or says what it did not read. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { findCardNumbers } from "../src/find-card-numbers.ts";
import { madeUpNumber } from "../src/testing/made-up-numbers.ts";
import { seeded } from "../src/testing/seeded.ts";

const number = madeUpNumber(seeded(Math.floor(Math.random() * 2 ** 31)));

describe("hostile input of ten million bytes", () => {
  const size = 10_000_000;
  const fill = (pattern: string | Buffer) => Buffer.alloc(size, pattern);
  const inputs: Readonly<Record<string, () => Buffer>> = {
    "one digit": () => fill("4"),
    "digits and blanks": () => fill("4 "),
    "groups of four": () => fill("4242 "),
    "groups with long glue": () => fill(`4242","aaaaaaaaaaaaaaaaaaaaaaaaa":"`),
    backslashes: () => fill("\\"),
    "escapes of escapes": () => fill("%25"),
    "u escapes": () => fill("\\u0034"),
    base64: () => fill("NDI0"),
    hex: () => fill("34"),
    "hex dump": () => fill("34 "),
    "byte list": () => fill("52,"),
    zeros: () => fill("\0"),
    "utf-16": () => fill("4\0"),
    "gzip heads": () => fill(Buffer.from([0x1f, 0x8b, 8, 0])),
    "zlib heads": () => fill(Buffer.from([0x78, 0x9c])),
    letters: () => fill("a"),
    "a packed desert": () => gzipSync(Buffer.alloc(200_000_000)),
  };

  // Not by the clock: a search that does not end in proportion holds the test until its own limit.
  test.each(Object.entries(inputs))("%s", (_, make) => {
    const { findings, unread } = findCardNumbers(Buffer.concat([make(), Buffer.from(` | ${number} |`)]));
    expect(findings.length + unread.length).toBeGreaterThan(0);
  });
});

describe("what was not read is told", () => {
  test("a part that unpacks to more than the bound", () => {
    expect(findCardNumbers(gzipSync(Buffer.alloc(200_000_000))).unread).toMatchObject([{ at: 0 }]);
  });

  test("more packed parts than are tried", () => {
    const part = gzipSync("x");
    const { unread } = findCardNumbers(Buffer.concat(Array.from({ length: 1_000 }, () => part)));
    expect(unread.length).toBeGreaterThan(0);
  });

  test("base64 seven times over", () => {
    let text = number;
    for (let depth = 0; depth < 7; depth++) text = Buffer.from(text).toString("base64");
    const { findings, unread } = findCardNumbers(Buffer.from(text));
    expect([findings.length, unread.length > 0]).toEqual([0, true]);
  });
});
