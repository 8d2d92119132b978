import { describe, expect, test } from "vitest";
import { brandOf, isLuhnValid } from "./card.ts";
import { testCardNames, testCards } from "./test-card.ts";

const bytes = (number: string) => Buffer.from(number, "latin1");

describe("test cards", () => {
  test("no number is there twice", () => {
    expect(new Set(testCardNames.map((name) => testCards[name].number)).size).toBe(testCardNames.length);
  });

  test("every number but the one that is made to be wrong has a right check digit, and every one has a brand", () => {
    const wrong = testCardNames.filter((name) => !isLuhnValid(bytes(testCards[name].number)));
    expect(wrong).toEqual(["declined_incorrect_number"]);
    for (const name of testCardNames) expect([name, brandOf(bytes(testCards[name].number))]).not.toEqual([name, "unknown"]);
  });

  test("a name that begins with a brand belongs to a card of that brand", () => {
    for (const name of testCardNames) {
      const [brand = ""] = /^(visa|mastercard|amex|discover|diners|jcb|unionpay)(?=_|$)/.exec(name) ?? [];
      if (brand !== "") expect([name, brandOf(bytes(testCards[name].number))]).toEqual([name, brand]);
    }
  });
});
