import { describe, expect, test } from "vitest";
import { arrayLiteral, byteaArrayLiteral } from "./array-literal.ts";

describe("arrayLiteral", () => {
  test("plain words and numbers stay as they are", () => {
    expect(arrayLiteral(["pay", "b-c", 1, 2n, true])).toBe("{pay,b-c,1,2,true}");
  });

  test("text that PostgreSQL would misread is quoted", () => {
    expect(arrayLiteral(["a,b", 'say "x"', "back\\slash", "{}", "", " ", "NULL", "null"])).toBe(
      '{"a,b","say \\"x\\"","back\\\\slash","{}",""," ","NULL","null"}',
    );
  });

  test("null becomes NULL without quotes", () => {
    expect(arrayLiteral([null, "x"])).toBe("{NULL,x}");
  });

  test("a bigint keeps every digit", () => {
    expect(arrayLiteral([9_223_372_036_854_775_807n])).toBe("{9223372036854775807}");
  });

  test("no values make an empty array", () => {
    expect(arrayLiteral([])).toBe("{}");
    expect(byteaArrayLiteral([])).toBe("{}");
  });

  test("bytes are written in hex, also from a view into a larger buffer", () => {
    expect(byteaArrayLiteral([new Uint8Array([0, 255]), new Uint8Array([9, 1, 2, 9]).subarray(1, 3), new Uint8Array()])).toBe(
      '{"\\\\x00ff","\\\\x0102","\\\\x"}',
    );
  });
});
