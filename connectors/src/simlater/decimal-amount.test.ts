import { amountMinorMax } from "@florin/kernel";
import { expect, test } from "vitest";
import { formatDecimal, parseDecimal } from "./decimal-amount.ts";

test.each([
  [1_000n, "EUR", "10.00"],
  [1n, "EUR", "0.01"],
  [10n, "JPY", "10"],
  [10_000n, "BHD", "10.000"],
  [5n, "BHD", "0.005"],
  [amountMinorMax, "EUR", "9999999999.99"],
])("%s minor units of %s are %s, and back", (amount, currency, text) => {
  expect(formatDecimal(amount, currency)).toBe(text);
  expect(parseDecimal(text, currency)).toBe(amount);
});

test.each([
  ["10", "EUR"],
  ["10.0", "EUR"],
  ["10.000", "EUR"],
  ["10.00", "JPY"],
  ["010.00", "EUR"],
  ["-1.00", "EUR"],
  ["1e2", "JPY"],
  ["1,00", "EUR"],
  [" 1.00", "EUR"],
  ["1.00\n", "EUR"],
  ["", "EUR"],
  ["1.00", "EURO"],
  ["1.00", "__proto__"],
  ["99999999999999999999.00", "EUR"],
])("%j is no amount of %s", (text, currency) => {
  expect(parseDecimal(text, currency)).toBeUndefined();
});
