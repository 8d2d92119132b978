import { brandOf } from "@florin/kernel";
import { testCardNames, testCards } from "@florin/kernel/test-cards";
import { describe, expect, test } from "vitest";
import { findTestCard, wellKnownTokens } from "./test-cards.ts";

const bytes = (number: string) => Buffer.from(number, "latin1");

describe("test cards", () => {
  test("no two cards share a name, so each has its own well-known tokens", () => {
    const plain = testCardNames.filter((name) => name === brandOf(bytes(testCards[name].number)));
    expect(plain).toEqual(["visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay"]);
    expect(wellKnownTokens.size).toBe(2 * testCardNames.length - plain.length);
    for (const token of wellKnownTokens.keys()) expect(token).toMatch(/^tok_[a-z]+_[a-z0-9_]+$/);
  });

  test("the names that documents and tests use are there", () => {
    const number = (token: string) => wellKnownTokens.get(token)?.number;
    expect(number("tok_visa_4242")).toBe("4242424242424242");
    expect(number("tok_mastercard_4444")).toBe("5555555555554444");
    expect(number("tok_mastercard_2_series")).toBe("2223003122003222");
    expect(number("tok_visa_debit")).toBe("4000056655665556");
    expect(number("tok_amex_0005")).toBe("378282246310005");
    expect(number("tok_visa_declined_generic")).toBe("4000000000000002");
    expect(number("tok_visa_0002")).toBe("4000000000000002");
    expect(number("tok_visa_9995")).toBe("4000000000009995");
    expect(number("tok_visa_5126")).toBe("4000000000005126");
  });

  test("a number is found byte by byte, and no other one", () => {
    for (const name of testCardNames) expect(findTestCard(bytes(testCards[name].number))).toBe(testCards[name]);
    expect(findTestCard(bytes("4242424242424243"))).toBeUndefined();
    expect(findTestCard(bytes("42424242"))).toBeUndefined();
  });
});
