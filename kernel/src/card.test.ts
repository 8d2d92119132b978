import creditCardType from "credit-card-type";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { brandOf, brandOfBeginning, isLuhnValid, maskCardNumber } from "./card.ts";

const bytes = (digits: string): Uint8Array => new TextEncoder().encode(digits);

/** Appends the check digit, computed independently of the code under test: tries all ten. */
function withCheckDigit(payload: string): string[] {
  return Array.from({ length: 10 }, (_, digit) => `${payload}${digit}`).filter((number) => isLuhnValid(bytes(number)));
}

describe("check digit", () => {
  test.each([
    "4242424242424242",
    "4000000000000002",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
    "3530111333300000",
  ])("test card %s is valid", (number) => expect(isLuhnValid(bytes(number))).toBe(true));

  test("every payload of 11 to 18 digits has exactly one check digit", () => {
    fc.assert(fc.property(fc.stringMatching(/^[0-9]{11,18}$/), (payload) => withCheckDigit(payload).length === 1));
  });

  test("one changed digit is always noticed", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{11,18}$/), fc.nat(), fc.integer({ min: 1, max: 9 }), (payload, position, shift) => {
        const number = withCheckDigit(payload)[0] as string;
        const at = position % number.length;
        const changed = (Number(number[at]) + shift) % 10;
        return !isLuhnValid(bytes(number.slice(0, at) + changed + number.slice(at + 1)));
      }),
    );
  });

  test.each(["", "0", "42424242424", "42424242424242424242", "4242 4242 4242 4242", "4242424242424241", "４２４２424242424242"])(
    "%j is not valid",
    (text) => expect(isLuhnValid(bytes(text))).toBe(false),
  );
});

describe("brand", () => {
  const names: Readonly<Record<string, string>> = {
    visa: "visa",
    mastercard: "mastercard",
    "american-express": "amex",
    discover: "discover",
    "diners-club": "diners",
    jcb: "jcb",
    unionpay: "unionpay",
    maestro: "maestro",
  };

  test.each([
    ["4242424242424242", "visa"],
    ["4222222222222", "visa"],
    ["5555555555554444", "mastercard"],
    ["2223003122003222", "mastercard"],
    ["378282246310005", "amex"],
    ["6011111111111117", "discover"],
    ["30569309025904", "diners"],
    ["3566002020360505", "jcb"],
    ["6200000000000005", "unionpay"],
    ["6759649826438453", "maestro"],
    ["9999999999999999", "unknown"],
    ["42424242424242", "unknown"],
  ])("%s is %s", (number, brand) => expect(brandOf(bytes(number))).toBe(brand));

  test("numbers whose brand credit-card-type is sure of get the same brand here", () => {
    const prefixes = [
      "4",
      "51",
      "53",
      "55",
      "2221",
      "2400",
      "2720",
      "34",
      "37",
      "300",
      "305",
      "36",
      "38",
      "39",
      "3528",
      "3589",
      "6011",
      "645",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...prefixes), fc.stringMatching(/^[0-9]{18}$/), (prefix, rest) => {
        const candidates = creditCardType(prefix + rest.slice(0, 12)).filter((type) => names[type.type] !== undefined);
        const type = candidates[0];
        if (candidates.length !== 1 || type === undefined || creditCardType(prefix + rest.slice(0, 12)).length !== 1) return true;
        const number = (prefix + rest).slice(0, Math.min(...type.lengths));
        return brandOf(bytes(number)) === names[type.type];
      }),
    );
  });
});

describe("mask", () => {
  test("shows at most the first six and the last four digits", () => {
    expect(maskCardNumber(bytes("4242424242424242"))).toBe("424242******4242");
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{12,19}$/), (number) => maskCardNumber(bytes(number)).replaceAll("*", "").length === 10),
    );
  });

  test.each(["", "4242", "42424242424", "4242-4242-4242-4242", "42424242424242424242"])("%j shows nothing", (text) =>
    expect(maskCardNumber(bytes(text))).toBe("[card number]"),
  );
});

describe("a number that is being typed", () => {
  test.each([
    ["", "unknown"],
    ["4", "visa"],
    ["3", "unknown"],
    ["34", "amex"],
    ["222", "unknown"],
    ["2221", "mastercard"],
    ["9", "unknown"],
  ])("%j is %s", (text, brand) => expect(brandOfBeginning(bytes(text)).brand).toBe(brand));

  test("keeps the brand that it was given while the rest is typed, and ends with it at a length that was told", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{12,19}$/), (number) => {
        const { brand, lengths } = brandOfBeginning(bytes(number));
        return brandOf(bytes(number)) === (lengths.includes(number.length) ? brand : "unknown");
      }),
    );
  });
});
