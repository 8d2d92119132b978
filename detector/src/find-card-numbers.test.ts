import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { findCardNumbers } from "./find-card-numbers.ts";
import { harmless } from "./testing/harmless.ts";
import { madeUpNumber } from "./testing/made-up-numbers.ts";
import { seeded } from "./testing/seeded.ts";
import { variantOf } from "./testing/variants.ts";
import { findInText, holdsCardNumber } from "./text.ts";

const seed = Number(process.env["FLORIN_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const random = seeded(seed);
const number = madeUpNumber(random);
const found = (bytes: Buffer | string) => findCardNumbers(Buffer.from(bytes as string)).findings;

describe(`from seed ${seed}`, () => {
  test("of 20,000 variants at most twenty are missed", () => {
    const missed: string[] = [];
    for (let count = 0; count < 20_000; count++) {
      const variant = variantOf(madeUpNumber(random), random);
      if (found(variant.bytes).length === 0) missed.push(variant.name);
    }
    expect(missed.slice(0, missed.length > 20 ? 40 : 0)).toEqual([]);
  });

  test.each(Object.entries(harmless))("of 10,000 of %s none is taken for a number", (_, make) => {
    const text = Array.from({ length: 10_000 }, () => make(random));
    expect(text.filter(holdsCardNumber)).toEqual([]);
  });
});

describe("a finding", () => {
  test("has the place, the way and the mask, and not the number", () => {
    const text = `{"pan":"${number}"}`;
    const [finding] = found(text);
    expect(finding).toMatchObject({ start: 8, end: 8 + number.length, encodings: [] });
    expect(finding?.masked).toBe(`${number.slice(0, 6)}${"*".repeat(number.length - 10)}${number.slice(-4)}`);
    expect(JSON.stringify(finding)).not.toContain(number);
  });

  test("tells the encodings from the outermost in, and where the outermost begins", () => {
    const text = `data: ${gzipSync(JSON.stringify({ number })).toString("base64")}`;
    expect(found(text)).toMatchObject([{ start: 6, encodings: ["base64", "gzip"] }]);
    const escaped = `{"url":"a%3D${number}%26"}`;
    expect(found(escaped)).toMatchObject([
      { start: escaped.indexOf(number), end: escaped.indexOf(number) + number.length, encodings: ["escapes"] },
    ]);
  });

  test("is one for a number that more than one decoder sees, and one for each number", () => {
    expect(found(JSON.stringify(JSON.stringify({ number })))).toHaveLength(1);
    expect(found(`${number} ${number}`)).toHaveLength(2);
  });

  test("says that a number is a published one when it is asked to", () => {
    const { findings } = findCardNumbers(Buffer.from(number), { isTestNumber: (digits) => Buffer.from(digits).toString() === number });
    expect(findings).toMatchObject([{ isTestNumber: true }]);
  });

  test("counts units of the text where it is asked about text", () => {
    const text = `日本 é ${number}`;
    expect(findInText(text)).toMatchObject([{ start: 5, end: 5 + number.length }]);
    const wide = [...number].map((digit) => String.fromCharCode(0xff10 + Number(digit))).join("");
    expect(findInText(`番号 ${wide}`)).toMatchObject([{ start: 3, end: 3 + number.length }]);
  });
});

describe("not a number", () => {
  const digits16 = "4".padEnd(15, "2");
  const visa = Array.from({ length: 10 }, (_, check) => digits16 + check).find((text) => found(text).length > 0) as string;

  test.each([
    ["a wrong check digit", visa.slice(0, -1) + ((Number(visa.at(-1)) + 1) % 10)],
    ["more digits around it", `1${visa}`],
    ["a part of a hash", `${visa}${"ab1c".repeat(12)}`],
    ["what looks like track 2 in a SHA-256", `3b1b740daeb9781f8c1f${visa}d0611857ac0747ea4f1233b9b980`],
    ["what looks like track 2 where a SHA-256 begins", `${visa}d0611857ac0747ea4f1233b9b9803b1b740daeb9781f8c1f`],
    ["what looks like track 2 in a trace id", `8c1f${visa}d0611857ac07`],
    ["a fraction", `0.${visa}`],
    ["the span of a traceparent", `00-${"a1".repeat(16)}-${visa}-01`],
    ["a uuid of digits", "42424242-4242-4242-4242-424242424242"],
    ["a table of numbers", `[${"4242,".repeat(5)}4242]`],
    ["columns", '"4242","4242","4242","4242","4242"'],
    ["an id in which letters and digits alternate", `a1${visa}`],
  ])("%s", (_, text) => {
    expect(found(text)).toEqual([]);
  });
});

describe("track data", () => {
  test.each(["=", "D"])("track 2 with %s is found", (separator) => {
    expect(found(`;${number}${separator}31121010000000000?`)).toMatchObject([{ start: 1 }]);
  });

  test.each([32, 40, 64])("track 2 of %i characters is found, though a hash is as long", (size) => {
    const track = `${number}D3112101`;
    expect(found(track.padEnd(size, "0"))).toMatchObject([{ start: 0 }]);
    expect(found(`${track.padEnd(size - 1, "0")}F`)).toMatchObject([{ start: 0 }]);
  });

  test("with = is found behind any word of hex", () => {
    expect(found(`0a1b2c3d4e5f6a7b${number}=3112101`)).toMatchObject([{ start: 16 }]);
  });

  test("is found in a chip's data, which has letters too, of any length but a hash's", () => {
    for (const size of [31, 33, 39, 41, 63, 65, 200])
      expect(found(`570F${number}D3112101`.padEnd(size, "9F"))).toMatchObject([{ start: 4 }]);
  });
});
