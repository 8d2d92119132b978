import { testCards } from "@florin/kernel/test-cards";
import { expect, test } from "vitest";
import { acquirerWays } from "./acquirer-ways.ts";
import { decideAuthorization } from "./decide-authorization.ts";
import { createIssuerModel } from "./issuer-model.ts";

const now = new Date("2026-01-15T12:00:00Z");
const card = (number: string) => ({ number, expMonth: 12, expYear: 2035, hasSecurityCode: true, hasAddress: false });
/** Gets nothing through. */
const wall = { ...acquirerWays.simpay, usual: 0, special: {}, badHours: undefined };
const worldOf = (usual: number, luck = "pay_1") => ({
  issuers: createIssuerModel({ seed: 7, ways: { simpay: { ...wall, usual } } }),
  acquirer: "simpay",
  luck,
});
/** Numbers with a right check digit that no list has. */
const unlisted = Array.from({ length: 2_000 }, (_, index) => withCheckDigit(`49${String(index).padStart(13, "7")}`));

test("without a world every listed card answers as it is documented", () => {
  expect(decideAuthorization(card(testCards.visa.number), now).code).toBe("00");
  expect(decideAuthorization(card(testCards.declined_lost_card.number), now).code).toBe("41");
});

test("in a world a documented decline stays what it is, and an approval hangs on the way", () => {
  expect(decideAuthorization(card(testCards.declined_lost_card.number), now, worldOf(1)).code).toBe("41");
  expect(decideAuthorization({ ...card(testCards.visa.number), expYear: 2025 }, now, worldOf(1)).code).toBe("54");
  expect(decideAuthorization(card(testCards.visa.number), now, worldOf(1)).code).toBe("00");
  expect(["05", "19", "91", "96"]).toContain(decideAuthorization(card(testCards.visa.number), now, worldOf(0)).code);
});

test("the issuer of a listed card refuses nothing beyond the list; of others some are refused, each for good", () => {
  const codes = unlisted.map((number) => decideAuthorization(card(number), now, worldOf(1)).code);
  const refused = codes.filter((code) => code !== "00");
  expect(refused.length / unlisted.length).toBeGreaterThan(0.03);
  expect(refused.length / unlisted.length).toBeLessThan(0.12);
  expect(unlisted.map((number) => decideAuthorization(card(number), now, worldOf(1, "another payment")).code)).toEqual(codes);
  for (const { number } of [testCards.visa, testCards.mastercard, testCards.amex])
    for (let seed = 1; seed <= 200; seed++) {
      const issuers = createIssuerModel({ seed, ways: { simpay: { ...wall, usual: 1 } } });
      expect([seed, decideAuthorization(card(number), now, { issuers, acquirer: "simpay", luck: "pay_1" }).code]).toEqual([seed, "00"]);
    }
});

function withCheckDigit(digits: string): string {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}
