import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expiryIn, formatExpiry, judgeExpiry, readExpiry } from "./expiry.ts";

const now = new Date("2026-11-21T12:00:00Z");

describe("an expiry date", () => {
  test.each([
    ["1", "1"],
    ["12", "12"],
    ["1/", "01"],
    ["1/3", "013"],
    ["1/35", "0135"],
    ["01/35", "0135"],
    ["01 / 35", "0135"],
    ["0135", "0135"],
    ["01/2035", "012035"],
    ["012035", "012035"],
    ["2035-01", "012035"],
    ["5", "05"],
    ["13", "13"],
    ["01/35 and more 99", "0135"],
    ["١٢/٣٥", "1235"],
  ])("%j is read as %s", (text, digits) => expect(expiryIn(text)).toBe(digits));

  test("that was put into shape is read as the same one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 2000, max: 2099 }), fc.boolean(), (month, year, isLong) => {
        const digits = `${String(month).padStart(2, "0")}${isLong ? year : String(year).slice(2)}`;
        expect(expiryIn(formatExpiry(digits))).toBe(digits);
        expect(readExpiry(digits)).toEqual({ month, year });
      }),
    );
  });

  test.each([
    ["", true, "empty"],
    ["1", false, "incomplete"],
    ["1", true, "invalid"],
    ["13", false, "invalid"],
    ["00", false, "invalid"],
    ["1235", false, "complete"],
    ["122035", false, "complete"],
    ["1126", false, "complete"],
    ["1026", false, "invalid"],
    // Could become 12/2035.
    ["1220", false, "incomplete"],
    ["1220", true, "invalid"],
    ["12203", false, "incomplete"],
    ["122099", false, "invalid"],
  ])("%j, left: %s, is %s", (digits, isLeft, state) => expect(judgeExpiry(digits, now, isLeft)).toBe(state));

  test("is good until its month is over everywhere on earth", () => {
    expect(judgeExpiry("1126", new Date("2026-12-01T11:59:59Z"), true)).toBe("complete");
    expect(judgeExpiry("1126", new Date("2026-12-01T12:00:00Z"), true)).toBe("invalid");
  });
});
