import currencyCodes from "currency-codes";
import * as dineroCurrencies from "dinero.js/currencies";
import { describe, expect, test } from "vitest";
import { currencies, currencyDecimals, isCurrency } from "./currency.ts";
import { currencyExclusions } from "./currency-exclusions.ts";

const dinero = Object.values(dineroCurrencies).filter((value) => typeof value === "object");

/** Where the oracle counts in fifths (base 5), ISO 4217 prints two decimals. */
const baseFive: readonly string[] = ["MGA", "MRU"];

describe("currency table", () => {
  test("every currency of dinero.js is here with its decimals, or is left out for a stated reason", () => {
    expect(dinero.length).toBeGreaterThan(150);
    for (const { code, exponent } of dinero) {
      if (code in currencyExclusions) expect(isCurrency(code)).toBe(false);
      else expect([code, currencyDecimals(code)]).toEqual([code, baseFive.includes(code) ? 2 : exponent]);
    }
  });

  test("every currency of currency-codes is here with its numeric code and decimals, or is left out for a stated reason", () => {
    for (const { code, number, digits } of currencyCodes.data) {
      if (code in currencyExclusions) expect(isCurrency(code)).toBe(false);
      else expect(currencies[code as keyof typeof currencies]).toMatchObject({ numeric: number, decimals: digits });
    }
  });

  test("numeric codes are three digits and unique", () => {
    const numeric = Object.values(currencies).map((currency) => currency.numeric);
    for (const code of numeric) expect(code).toMatch(/^\d{3}$/);
    expect(new Set(numeric).size).toBe(numeric.length);
  });

  test.each(["usd", "US", "USDX", "", "XXX", "__proto__", "toString"])("%j is no currency", (text) => expect(isCurrency(text)).toBe(false));

  test.each([
    ["JPY", 0],
    ["USD", 2],
    ["BHD", 3],
    ["ISK", 0],
    ["XCG", 2],
  ])("%s has %i decimals", (code, decimals) => expect(currencyDecimals(code)).toBe(decimals));

  test("asking for the decimals of an unknown code is a bug", () => expect(() => currencyDecimals("XXX")).toThrow(/ISO 4217/));
});
