import { Secret } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { type CardInput, clearDigits, examineCard, holdsCardNumber } from "./card.ts";

const now = new Date("2026-11-21T00:00:00Z");
const secret = (text: string) => new Secret(Buffer.from(text, "latin1"));
const cardOf = (number: string, changes: Partial<CardInput> = {}): CardInput => ({
  number: secret(number),
  expMonth: 12,
  expYear: 2030,
  securityCode: secret("123"),
  name: "",
  postalCode: "",
  addressLine1: "",
  ...changes,
});
const verdict = (card: CardInput, mode: "test" | "live" = "test", at = now) => {
  const answer = examineCard(card, mode, at);
  return answer.kind === "good" ? answer.facts : [answer.fault.code, answer.fault.param];
};

describe("examining a card", () => {
  test("a test card is told in clear as far as it may be", () => {
    expect(verdict(cardOf("5200828282828210"))).toEqual({
      brand: "mastercard",
      bin: "52008282",
      last4: "8210",
      expMonth: 12,
      expYear: 2030,
      funding: "debit",
    });
    expect(verdict(cardOf("378282246310005", { securityCode: secret("1234") }))).toMatchObject({
      brand: "amex",
      bin: "378282",
      last4: "0005",
    });
  });

  test("a number with a wrong check digit is refused, also where it is a known one", () => {
    expect(verdict(cardOf("4242424242424241"))).toEqual(["card_number_invalid", "card.number"]);
    expect(verdict(cardOf("4242424242424241"), "live")).toEqual(["card_number_invalid", "card.number"]);
  });

  test("a real number is refused in test mode and taken in live mode", () => {
    // A valid check digit, of no known test card.
    expect(verdict(cardOf("4000000000001000"))).toEqual(["live_card_in_test_mode", "card.number"]);
    expect(verdict(cardOf("4000000000001000"), "live")).toMatchObject({ brand: "visa", funding: "unknown" });
  });

  test("a card is good to the end of its month, anywhere on earth", () => {
    const card = cardOf("4242424242424242", { expMonth: 11, expYear: 2026 });
    expect(verdict(card)).toMatchObject({ expMonth: 11 });
    expect(verdict(card, "test", new Date("2026-12-01T11:59:59Z"))).toMatchObject({ expMonth: 11 });
    expect(verdict(card, "test", new Date("2026-12-01T12:00:00Z"))).toEqual(["card_expiry_invalid", "card.exp_year"]);
  });

  test.each([
    [0, 2030, "card.exp_month"],
    [13, 2030, "card.exp_month"],
    [-1, 2030, "card.exp_month"],
    [12, 2025, "card.exp_year"],
    [12, 30, "card.exp_year"],
    [12, 2077, "card.exp_year"],
  ])("expiry %i/%i is refused", (expMonth, expYear, param) => {
    expect(verdict(cardOf("4242424242424242", { expMonth, expYear }))).toEqual(["card_expiry_invalid", param]);
  });

  test("a security code has the length of its brand, or is left out", () => {
    expect(verdict(cardOf("4242424242424242", { securityCode: undefined }))).toMatchObject({ brand: "visa" });
    expect(verdict(cardOf("4242424242424242", { securityCode: secret("1234") }))).toEqual(["card_cvc_invalid", "card.cvc"]);
    expect(verdict(cardOf("378282246310005"))).toEqual(["card_cvc_invalid", "card.cvc"]);
  });

  test("no refusal quotes the card", () => {
    for (const number of ["4242424242424241", "4000000000001000"]) {
      const answer = examineCard(cardOf(number), "test", now);
      expect(JSON.stringify(answer) + (answer.kind === "refused" ? answer.fault.message : "")).not.toMatch(/\d{4}/);
    }
  });
});

test("eight digits in clear need a number of sixteen", () => {
  expect(clearDigits(Buffer.from("30569309025904"))).toEqual({ bin: "305693", last4: "5904" });
  expect(clearDigits(Buffer.from("4242424242424242"))).toEqual({ bin: "42424242", last4: "4242" });
});

test("a card number in a text is seen, in groups and beside other digits too", () => {
  for (const text of ["4242424242424242", "my card 4242 4242 4242 4242", "4242-4242-4242-4242 x", "99 4242424242424242"])
    expect([text, holdsCardNumber(text)]).toEqual([text, true]);
  for (const text of ["", "Main Street 12", "1234567890123", "+43 664 1234567"])
    expect([text, holdsCardNumber(text)]).toEqual([text, false]);
});
