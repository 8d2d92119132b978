import { readFileSync } from "node:fs";
import { isLuhnValid } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { decideAuthorization, type PresentedCard } from "./decide-authorization.ts";
import { responseCodes } from "./response-code.ts";
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
  test("numbers and names are given once, and all but the wrong number have a right check digit", () => {
    expect(new Set(testCards.map((card) => card.number)).size).toBe(testCards.length);
    expect(new Set(testCards.map((card) => card.name)).size).toBe(testCards.length);
    const wrong = testCards.filter((card) => !isLuhnValid(Buffer.from(card.number)));
    expect(wrong.map((card) => card.name)).toEqual(["declined_incorrect_number"]);
  });

  test("each does what the table says", () => {
    for (const card of testCards) expect(decideAuthorization(present(card.number), now).code).toBe(card.code);
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
