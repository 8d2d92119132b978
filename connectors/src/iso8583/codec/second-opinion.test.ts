/**
 * The codec beside an independent one: the npm package iso_8583, which speaks ASCII with a binary bitmap.
 *
 * Left out is what it holds for another format than the standard's tables: it counts bits as hexadecimal digits (53, 64, 96, 128), gives DE 58
 * and 118 to 123 other contents, and takes DE 127 as a message of its own.
 */
import { Secret } from "@florin/kernel";
import fc from "fast-check";
import IsoEightFiveEightThree from "iso_8583";
import { expect, test } from "vitest";
import { decodeMessage } from "./decode.ts";
import { makeDialect } from "./dialect.ts";
import { asciiBinary1987 } from "./dialects.ts";
import { encodeMessage } from "./encode.ts";
import { describeFault } from "./fault.ts";
import type { FieldValue, IsoMessage } from "./message.ts";

const others = new Set([53, 58, 64, 93, 96, 118, 119, 120, 121, 122, 123, 127, 128]);
const dialect = makeDialect(asciiBinary1987);
const fields = dialect.fields.filter((field) => field !== undefined && !others.has(field.number)).filter((field) => field !== undefined);

/** Text to us, digits to the other codec. */
const digitsToOthers = new Set([34, 36, 40, 49, 51]);
/** What both alphabets have. */
const alphabets = { a: "ABCXYZ", n: "0123456789", an: "ABCXYZ0123456789", ans: "ABCXYZ0123456789 -.,:;!$", z: "0123456789=" } as const;

function anyText(field: (typeof fields)[number]): fc.Arbitrary<string> {
  const { content, prefix } = field;
  // Longer text is the same code, and the other codec holds some fields for shorter.
  const lengthMax = Math.min(field.lengthMax, 200);
  if (content === "b") return fc.stringMatching(new RegExp(`^[0-9a-f]{${2 * lengthMax}}$`));
  const digits = (count: number) => fc.string({ unit: fc.constantFrom(...alphabets.n), minLength: count, maxLength: count });
  if (content === "x+n") return fc.tuple(fc.constantFrom("C", "D"), digits(lengthMax - 1)).map(([sign, rest]) => sign + rest);
  const minLength = prefix === undefined ? lengthMax : 1;
  const text = fc.string({
    unit: fc.constantFrom(...alphabets[digitsToOthers.has(field.number) ? "n" : content]),
    minLength,
    maxLength: lengthMax,
    size: "max",
  });
  // The other codec keeps blanks that pad a text, ours takes them off.
  return prefix === undefined ? text.map((value) => value.replace(/ $/, "A")) : text;
}

const anyFields = fc
  .uniqueArray(fc.nat(fields.length - 1), { minLength: 1, maxLength: 30 })
  .chain((chosen) =>
    fc.record(
      Object.fromEntries(chosen.map((index) => fields[index] as (typeof fields)[number]).map((field) => [field.number, anyText(field)])),
    ),
  );
const anyMti = fc.constantFrom("0100", "0110", "0200", "0210", "0220", "0230", "0400", "0410", "0420", "0430", "0800", "0810");

function toMessage(mti: string, texts: Readonly<Record<string, string>>): IsoMessage {
  const entries = Object.entries(texts).map(([key, text]): [number, FieldValue] => {
    const field = dialect.fields[Number(key)];
    const bytes = Buffer.from(text, field?.content === "b" ? "hex" : "latin1");
    if (field?.isSecret) return [Number(key), new Secret(bytes)];
    return [Number(key), field?.content === "b" ? bytes : text];
  });
  return { mti, fields: new Map(entries) };
}

function toTexts({ mti, fields: values }: IsoMessage): Record<string, string> {
  const entries = [...values].map(([number, value]) => {
    if (typeof value === "string") return [number, value] as const;
    const bytes = Buffer.from(value instanceof Secret ? value.expose() : value);
    return [number, bytes.toString(dialect.fields[number]?.content === "b" ? "hex" : "latin1")] as const;
  });
  return { 0: mti, ...Object.fromEntries(entries) };
}

/** The other codec always writes a second bitmap, ours only where it has a bit. */
function withSecondary(bytes: Buffer): Buffer {
  const first = bytes[4] as number;
  if ((first & 0x80) !== 0) return bytes;
  return Buffer.concat([bytes.subarray(0, 4), Buffer.of(first | 0x80), bytes.subarray(5, 12), Buffer.alloc(8), bytes.subarray(12)]);
}

test("both encode a message to the same bytes, and each reads what the other wrote", () => {
  fc.assert(
    fc.property(anyMti, anyFields, (mti, texts) => {
      const target = Buffer.alloc(65_536);
      const ours = encodeMessage(dialect, toMessage(mti, texts), target);
      if (ours.kind === "refused") throw new Error(describeFault(ours.fault));
      const bytes = target.subarray(0, ours.length);
      const theirs = new IsoEightFiveEightThree({ 0: mti, ...texts }).getRawMessage();
      if (!Buffer.isBuffer(theirs)) throw new Error(JSON.stringify(theirs));
      expect(withSecondary(bytes).toString("latin1")).toBe(theirs.toString("latin1"));
      const back = decodeMessage(dialect, theirs);
      expect(back.kind === "decoded" ? toTexts(back.message) : describeFault(back.fault)).toEqual({ 0: mti, ...texts });
      const { 1: _bitmap, ...read } = new IsoEightFiveEightThree().getIsoJSON(Buffer.from(bytes), { lenHeader: false });
      expect(read).toEqual({ 0: mti, ...texts });
    }),
    { numRuns: 500 },
  );
});

test("the second opinion covers almost every field of the dialect", () => expect(fields.length).toBeGreaterThan(110));
