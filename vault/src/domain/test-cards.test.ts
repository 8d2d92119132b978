import { brandOf, isLuhnValid } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { findTestCard, testCards, wellKnownTokens } from "./test-cards.ts";

const bytes = (number: string) => Buffer.from(number, "latin1");

describe("test cards", () => {
  test("every number but the one that tests it has a right check digit and a brand", () => {
    const wrong = testCards.filter(({ number }) => !isLuhnValid(bytes(number))).map(({ purpose }) => purpose);
    expect(wrong).toEqual(["declined_incorrect_number"]);
    for (const { number } of testCards) expect([number, brandOf(bytes(number))]).not.toEqual([number, "unknown"]);
  });

  test("no two cards share a name, so each has its own well-known tokens", () => {
    const names = testCards.length + testCards.filter(({ purpose }) => purpose !== undefined).length;
    expect(wellKnownTokens.size).toBe(names);
    for (const token of wellKnownTokens.keys()) expect(token).toMatch(/^tok_[a-z]+_[a-z0-9_]+$/);
  });

  test("the names that documents and tests use are there", () => {
    const number = (token: string) => wellKnownTokens.get(token)?.number;
    expect(number("tok_visa_4242")).toBe("4242424242424242");
    expect(number("tok_mastercard_4444")).toBe("5555555555554444");
    expect(number("tok_amex_0005")).toBe("378282246310005");
    expect(number("tok_visa_declined_generic")).toBe("4000000000000002");
    expect(number("tok_visa_0002")).toBe("4000000000000002");
    expect(number("tok_visa_9995")).toBe("4000000000009995");
    expect(number("tok_visa_5126")).toBe("4000000000005126");
  });

  test("a number is found byte by byte, and no other one", () => {
    expect(findTestCard(bytes("4242424242424242"))?.number).toBe("4242424242424242");
    expect(findTestCard(bytes("4242424242424243"))).toBeUndefined();
    expect(findTestCard(bytes("42424242"))).toBeUndefined();
  });
});
