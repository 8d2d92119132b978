import { describe, expect, test } from "vitest";
import { codeLengthMaxOf, formatNumber, judgeCode, judgeNumber, numberIn } from "./card-number.ts";
import { caretBehind, digitsBefore } from "./caret.ts";

describe("a number", () => {
  test.each([
    ["4242-4242 4242\t4242\n", "4242424242424242"],
    ["Card: 4242 4242 4242 4242, thanks", "4242424242424242"],
    ["٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "4242424242424242"],
    ["４２４２", "4242"],
    ["42424242424242424242424242", "4242424242424242424"],
    ["", ""],
  ])("%j is read as %s", (text, digits) => expect(numberIn(text)).toBe(digits));

  test.each([
    ["42424242424242", "4242 4242 4242 42"],
    ["4242", "4242"],
    ["42424", "4242 4"],
    ["378282246310005", "3782 822463 10005"],
    ["30569309025904", "3056 930902 5904"],
    ["3056930902590412", "3056 9309 0259 0412"],
    ["6200000000000000003", "6200 0000 0000 0000 003"],
  ])("%s is shown as %s", (digits, shown) => expect(formatNumber(digits)).toBe(shown));

  test.each([
    ["", false, "empty", "unknown"],
    ["4", false, "incomplete", "visa"],
    ["4", true, "invalid", "visa"],
    ["4242424242424242", false, "complete", "visa"],
    // A Visa card may have 19 digits, so 16 wrong ones may still become right.
    ["4242424242424241", false, "incomplete", "visa"],
    ["4242424242424241", true, "invalid", "visa"],
    ["5555555555554445", false, "invalid", "mastercard"],
    ["378282246310005", false, "complete", "amex"],
    ["378282246310006", false, "invalid", "amex"],
    // The check digit is right, the length is not one of the brand's.
    ["42424242424242424", true, "invalid", "visa"],
  ])("%j, left: %s, is %s of %s", (digits, isLeft, state, brand) => expect(judgeNumber(digits, isLeft)).toEqual({ state, brand }));
});

describe("a security code", () => {
  test.each([
    ["", "visa", true, "empty"],
    ["12", "visa", false, "incomplete"],
    ["12", "visa", true, "invalid"],
    ["123", "visa", false, "complete"],
    ["1234", "visa", false, "invalid"],
    ["123", "amex", false, "incomplete"],
    ["1234", "amex", false, "complete"],
    ["123", "unknown", false, "complete"],
  ] as const)("%j on %s, left: %s, is %s", (digits, brand, isLeft, state) => expect(judgeCode(digits, brand, isLeft)).toBe(state));

  test("has four digits on American Express only", () => {
    expect([codeLengthMaxOf("amex"), codeLengthMaxOf("visa"), codeLengthMaxOf("unknown")]).toEqual([4, 3, 4]);
  });
});

test("the caret stands behind as many digits as before", () => {
  expect(digitsBefore("4242 4", 5)).toBe(4);
  expect([0, 4, 5, 16, 99].map((digits) => caretBehind("4242 4242 4242 4242", digits))).toEqual([0, 4, 6, 19, 19]);
});
