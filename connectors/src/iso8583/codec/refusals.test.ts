/** What is refused, why, and where: one line per reason and manner. */
import { Secret } from "@florin/kernel";
import { describe, expect, test, vi } from "vitest";
import { decodeMessage } from "./decode.ts";
import { type DialectData, makeDialect } from "./dialect.ts";
import { ascii1987, ascii1993, bcd1987, bcdEbcdic1987, ebcdic1987 } from "./dialects.ts";
import { encodeMessage } from "./encode.ts";
import { describeFault, faultReasons } from "./fault.ts";
import type { FieldValue } from "./message.ts";

const text = (value: string) => Buffer.from(value, "latin1").toString("hex");

const unreadable: readonly (readonly [string, DialectData, string, string])[] = [
  ["nothing", ascii1987, "", "mti at byte 0: truncated"],
  ["a type of letters", ascii1987, text("01A0") + text("0000000000000000"), "mti at byte 0: bad_character"],
  ["a type of another version", ascii1987, text("1100") + text("0000000000000000"), "mti at byte 0: other_version"],
  ["a bitmap that is no hexadecimal number", ascii1987, text("0100") + text("000000000000000G"), "bitmap at byte 4: bad_character"],
  ["a second bitmap that is missing", bcd1987, "0100 8000000000000000 04", "bitmap at byte 10: truncated"],
  ["a bit for a third bitmap", bcd1987, "0100 8000000000000000 8000000000000000", "65 at byte 18: no_format"],
  ["a length of letters", ascii1987, text("01004000000000000000") + text("1A4"), "2 at byte 20: bad_length"],
  ["a length of half bytes above nine", bcd1987, "0100 4000000000000000 1A 41", "2 at byte 10: bad_length"],
  ["a card number of 20 digits", bcd1987, "0100 4000000000000000 20 11111111111111111111", "2 at byte 10: too_long"],
  ["a binary length above the format's", ebcdic1987, `F0F1F0F0 0000000000100000 1A ${"C1".repeat(26)}`, "44 at byte 12: too_long"],
  ["a letter among digits", ascii1987, text("01002000000000000000") + text("00000A"), "3 at byte 20: bad_character"],
  ["a half byte above nine", bcd1987, "0100 2000000000000000 00000A", "3 at byte 10: bad_character"],
  ["a byte that is no character", ascii1987, text("01000000000000800000") + text("TERM000\u0000"), "41 at byte 20: bad_character"],
  ["an amount without a sign", ascii1987, text("01000000001000000000") + text("X00000100"), "28 at byte 20: bad_character"],
  ["half a byte that should be zero on the left", bcd1987, "0800 8000000000000000 0400000000000000 1301", "70 at byte 18: bad_padding"],
  ["half a byte that should be F on the right", bcdEbcdic1987, "0100 4000000000000000 01 40", "2 at byte 10: bad_padding"],
  ["a byte too many", bcd1987, "0100 2000000000000000 000000 00", "end at byte 13: excess"],
];

test.each(unreadable)("%s", (_name, data, hex, reading) => {
  const result = decodeMessage(makeDialect(data), Buffer.from(hex.replaceAll(" ", ""), "hex"));
  expect(result.kind === "refused" && `${result.fault.part} at byte ${result.fault.position}: ${result.fault.reason}`).toBe(reading);
});

const unwritable: readonly (readonly [string, DialectData, string, Record<number, FieldValue>, string])[] = [
  ["a type of five digits", ascii1987, "01000", {}, "mti at byte 0: bad_character"],
  ["a type of another version", ascii1993, "0100", {}, "mti at byte 0: other_version"],
  ["a field that the dialect lacks", ascii1987, "0100", { 65: "1" }, "65 at byte 36: no_format"],
  ["an amount of 13 digits", ascii1987, "0100", { 4: "1".repeat(13) }, "4 at byte 20: too_long"],
  ["a card number of 20 digits", ascii1987, "0100", { 2: new Secret(Buffer.alloc(20, "1")) }, "2 at byte 20: too_long"],
  ["a card number with a letter", bcd1987, "0100", { 2: new Secret(Buffer.from("4A")) }, "2 at byte 10: bad_character"],
  ["a name beyond ASCII", ascii1987, "0100", { 43: "Zürich" }, "43 at byte 20: bad_character"],
  ["a name beyond a byte", ascii1987, "0100", { 43: "\u0141\u00f3d\u017a" }, "43 at byte 20: bad_character"],
  ["a PIN block of 7 bytes", bcd1987, "0100", { 52: new Secret(Buffer.alloc(7)) }, "52 at byte 10: wrong_length"],
  ["a signed amount that is too short", ascii1987, "0100", { 28: "C100" }, "28 at byte 20: wrong_length"],
];

test.each(unwritable)("not encoded: %s", (_name, data, mti, fields, reading) => {
  const message = { mti, fields: new Map(Object.entries(fields).map(([number, value]) => [Number(number), value])) };
  const result = encodeMessage(makeDialect(data), message, Buffer.alloc(1_024));
  expect(result.kind === "refused" && `${result.fault.part} at byte ${result.fault.position}: ${result.fault.reason}`).toBe(reading);
});

test("every reason has a sentence, and each but the buffer's is shown above", () => {
  const shown = new Set([...unreadable, ...unwritable].map((line) => String(line.at(-1)).split(": ")[1]));
  expect([...shown, "no_room"].toSorted()).toEqual(Object.keys(faultReasons).toSorted());
  expect(describeFault({ part: "mti", position: 0, reason: "no_room" })).toBe("mti at byte 0: the buffer is too small for it");
});

describe("secrets", () => {
  test("what was decoded of a message that is refused is wiped", () => {
    const wiped = vi.spyOn(Secret.prototype, "wipe");
    const result = decodeMessage(makeDialect(bcd1987), Buffer.from("0100600000000000000002420000A0", "hex"));
    expect(result).toMatchObject({ kind: "refused", fault: { part: 3 } });
    expect(wiped).toHaveBeenCalledOnce();
    vi.restoreAllMocks();
  });

  test("a card number as a string is a bug, not a message", () => {
    const message = { mti: "0100", fields: new Map([[2, "42"]]) };
    expect(() => encodeMessage(makeDialect(ascii1987), message, Buffer.alloc(64))).toThrow("DE 2 is secret");
  });
});
