/** Whole messages that others published, byte for byte. */
import { Secret } from "@florin/kernel";
import { testCards } from "@florin/kernel/test-cards";
import { describe, expect, test } from "vitest";
import { decodeMessage } from "./decode.ts";
import { type DialectData, makeDialect } from "./dialect.ts";
import { ascii1987, asciiBinary1987, bcd1987, bcdEbcdic1987, dialects, ebcdic1987 } from "./dialects.ts";
import { encodeMessage } from "./encode.ts";
import { describeFault } from "./fault.ts";
import type { FieldValue } from "./message.ts";
import { plain } from "./message-arbitrary.ts";

type Golden = {
  readonly source: string;
  readonly dialect: DialectData;
  readonly hex: string;
  readonly mti: string;
  readonly fields: Record<number, FieldValue>;
};

const secret = (text: string) => new Secret(Buffer.from(text, "latin1"));
const asHex = (text: string) => Buffer.from(text, "latin1").toString("hex");
const card = testCards.visa.number;

const goldens: readonly Golden[] = [
  {
    source: "sign-on reply of a processor with packed digits and EBCDIC text (Stack Overflow 11421574)",
    dialect: bcdEbcdic1987,
    hex: "0810 8220000002000000 0400000000000000 0501130427 000005 F0F0 0001",
    mti: "0810",
    fields: { 7: "0501130427", 11: "000005", 39: "00", 70: "001" },
  },
  {
    source: "network management with packed digits and ASCII text (The Code Project, introduction to ISO 8583)",
    dialect: bcd1987,
    hex: "0800 2020000000800000 000000 000001 3239313130303031",
    mti: "0800",
    fields: { 3: "000000", 11: "000001", 41: "29110001" },
  },
  {
    source: "advice of a teller machine in ASCII with a binary bitmap, without its header (Stack Overflow 12015862)",
    dialect: asciiBinary1987,
    hex: `${asHex("0820")} 8038000000810000 0400000000000000 ${asHex("362910102957103110000005031SU20111031102957201110311029573001")}`,
    mti: "0820",
    fields: { 11: "362910", 12: "102957", 13: "1031", 41: "10000005", 48: secret("SU20111031102957201110311029573"), 70: "001" },
  },
  {
    source: "purchase in ASCII (README of ISO8583-PACK-UNPACK)",
    dialect: ascii1987,
    hex: asHex("0200322000000080800000001000000000150012060412000000011234000" + "1840"),
    mti: "0200",
    fields: { 3: "000010", 4: "000000001500", 7: "1206041200", 11: "000001", 41: "12340001", 49: "840" },
  },
  {
    source: "ISO 8583:1987 by hand: an even card number in half bytes behind a length of one byte, a signed fee, PIN block",
    dialect: bcd1987,
    hex: `0100 4020001000001000 16 ${card} 000001 44 00000150 0123456789ABCDEF`,
    mti: "0100",
    fields: { 2: secret(card), 11: "1", 28: "D00000150", 52: new Secret(Buffer.from("0123456789ABCDEF", "hex")) },
  },
  {
    source: "ISO 8583:1987 by hand: an odd card number, zero filled on the right",
    dialect: bcd1987,
    hex: `0100 4000000000000000 15 ${testCards.amex.number}0`,
    mti: "0100",
    fields: { 2: secret(testCards.amex.number) },
  },
  {
    source: "ISO 8583:1987 by hand: an odd card number, filled with F on the right",
    dialect: bcdEbcdic1987,
    hex: `0100 4000000000000000 15 ${testCards.amex.number}F`,
    mti: "0100",
    fields: { 2: secret(testCards.amex.number) },
  },
  {
    source: "code page 1047 by hand: a terminal with a bracket, a binary length",
    dialect: ebcdic1987,
    hex: "F0F8F1F0 0000000000900000 E3C5D9D4AD F1BD40 05 C1C3D8F0F1",
    mti: "0810",
    fields: { 41: "TERM[1]", 44: "ACQ01" },
  },
];

describe.each(goldens.map((golden) => [golden.source, golden] as const))("%s", (_source, golden) => {
  const dialect = makeDialect(golden.dialect);
  const bytes = Buffer.from(golden.hex.replaceAll(" ", ""), "hex");
  const message = { mti: golden.mti, fields: new Map(Object.entries(golden.fields).map(([number, value]) => [Number(number), value])) };

  test("is encoded to these bytes", () => {
    const target = Buffer.alloc(512);
    const result = encodeMessage(dialect, message, target);
    expect(result.kind === "encoded" ? target.toString("hex", 0, result.length) : describeFault(result.fault)).toBe(bytes.toString("hex"));
  });

  test("is decoded to these fields", () => {
    const result = decodeMessage(dialect, bytes);
    expect(result.kind === "decoded" ? encodedAgain(golden, result.message.fields) : describeFault(result.fault)).toEqual(plain(message));
  });
});

/** Digits that came padded are compared as they were given. */
function encodedAgain({ mti, fields }: Golden, decoded: ReadonlyMap<number, FieldValue>): unknown {
  const asGiven = [...decoded].map(([number, value]) => {
    const given = fields[number];
    const isPadded = typeof given === "string" && typeof value === "string" && Number(given) === Number(value);
    return [number, isPadded ? given : value] as const;
  });
  return plain({ mti, fields: new Map(asGiven) });
}

test.each([
  ["4210001102C04804", [2, 7, 12, 28, 32, 39, 41, 42, 50, 53, 62]],
  ["7234054128C28805", [2, 3, 4, 7, 11, 12, 14, 22, 24, 26, 32, 35, 37, 41, 42, 47, 49, 53, 62, 64]],
  ["8000000000000001", [64]],
])("the bitmap %s of the literature names its fields", (hex, numbers) => {
  const dialect = makeDialect(dialects[0] as DialectData);
  const isSecondary = hex.startsWith("8");
  const message = Buffer.from(`0200${hex}${isSecondary ? "0000000000000000" : ""}`, "latin1");
  const result = decodeMessage(dialect, message);
  // Without data the first field is where reading ends; every other bit is found by taking the first away.
  expect(result).toMatchObject({ kind: "refused", fault: { part: numbers[0], reason: "truncated" } });
  const bits = BigInt(`0x${hex}`).toString(2).padStart(64, "0");
  expect([...bits].flatMap((bit, index) => (bit === "1" && index > 0 ? [index + 1] : []))).toEqual(numbers);
});
