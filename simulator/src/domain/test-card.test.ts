import { readFileSync } from "node:fs";
import { testCards as numbers, testCardNames } from "@florin/kernel/test-cards";
import { describe, expect, test } from "vitest";
import { decideAuthorization, type PresentedCard } from "./decide-authorization.ts";
import { declineCodeOf, responseCodes } from "./response-code.ts";
import { testCards } from "./test-card.ts";

const now = new Date("2026-11-21T00:00:00Z");
const present = (number: string, change: Partial<PresentedCard> = {}): PresentedCard => ({
  number,
  expMonth: 12,
  expYear: 2035,
  hasSecurityCode: true,
  hasAddress: false,
  ...change,
});

describe("test cards", () => {
  test("each does what the table says", () => {
    for (const card of testCards) expect(decideAuthorization(present(card.number), now).code).toBe(card.code);
  });

  test.each([
    ["three_d_secure_always", "1A", "authentication_required"],
    ["three_d_secure_setup", "1A", "authentication_required"],
    ["three_d_secure_required", "1A", "authentication_required"],
    ["three_d_secure_required_second", "1A", "authentication_required"],
    ["three_d_secure_then_declined", "1A", "authentication_required"],
    ["three_d_secure_then_declined_second", "1A", "authentication_required"],
    ["disputed", "00", ""],
  ] as const)("%s is answered with %s", (name, code, declineCode) => {
    const answer = decideAuthorization(present(numbers[name].number), now);
    expect(answer).toMatchObject({ code, cardName: name });
    expect(declineCodeOf(answer.code)).toBe(declineCode);
  });

  test("every card that the vault takes in test mode is known here by its name", () => {
    for (const name of testCardNames) expect(decideAuthorization(present(numbers[name].number), now).cardName).toBe(name);
  });

  test("a card is good until the end of its month", () => {
    const ends = (expMonth: number, expYear: number) => decideAuthorization(present("4242424242424242", { expMonth, expYear }), now).code;
    expect([ends(11, 2026), ends(10, 2026), ends(12, 2025), ends(1, 2027)]).toEqual(["00", "54", "54", "00"]);
  });

  test("an unlisted number is approved when its check digit is right", () => {
    expect(decideAuthorization(present("4111111111111111"), now)).toMatchObject({ code: "00", cardName: "unlisted", cardLast4: "1111" });
    expect(decideAuthorization(present("4111111111111112"), now).code).toBe("14");
  });

  test("the table in the README is this table", () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const rows = readme.split("\n").filter((line) => /^\| \d{12,}/.test(line));
    const shown = rows.map((row) => row.split("|").map((cell) => cell.trim()));
    const answer = (code: keyof typeof responseCodes) => responseCodes[code].declineCode || "approved";
    expect(shown.map(([, ...cells]) => cells.slice(0, 4))).toEqual(
      testCards.map((card) => [card.number, card.name, answer(card.code), card.code]),
    );
  });

  test("every decline has a decline code and no approval has one", () => {
    for (const { status, declineCode } of Object.values(responseCodes)) expect(status === "approved").toBe(declineCode === "");
  });
});
