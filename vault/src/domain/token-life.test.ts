import { describe, expect, test } from "vitest";
import { endOfCardMs, expiresAtMs, latestEndedMonth, plannedExpiryMs, problemOfTerms } from "./token-life.ts";

const rules = { singleUseLifeMs: 3_600_000, graceDays: 180 };
const nowMs = Date.parse("2026-11-21T00:00:00Z");
const facts = { expMonth: 12, expYear: 2026 };

describe("a token lives", () => {
  test("until the end of its card when it is reusable", () => {
    const planned = plannedExpiryMs({ usage: "reusable", expiresInS: undefined }, rules, nowMs);
    expect(planned).toBeUndefined();
    const end = expiresAtMs({ facts, plannedExpiryMs: planned, usedBy: undefined }, rules);
    expect(new Date(end).toISOString()).toBe("2027-06-30T12:00:00.000Z");
  });

  test("as long as was asked for, and never longer than its card", () => {
    const planned = plannedExpiryMs({ usage: "reusable", expiresInS: 600 }, rules, nowMs);
    expect(expiresAtMs({ facts, plannedExpiryMs: planned, usedBy: undefined }, rules)).toBe(nowMs + 600_000);
    const late = plannedExpiryMs({ usage: "reusable", expiresInS: 5 * 365 * 86_400 }, rules, nowMs);
    expect(expiresAtMs({ facts, plannedExpiryMs: late, usedBy: undefined }, rules)).toBe(endOfCardMs(facts, rules));
  });

  test("for an hour when it is single-use, and for its payment as long as its card", () => {
    const planned = plannedExpiryMs({ usage: "single_use", expiresInS: undefined }, rules, nowMs);
    expect(expiresAtMs({ facts, plannedExpiryMs: planned, usedBy: undefined }, rules)).toBe(nowMs + 3_600_000);
    expect(expiresAtMs({ facts, plannedExpiryMs: planned, usedBy: "pay_1" }, rules)).toBe(endOfCardMs(facts, rules));
  });
});

test.each([
  ["reusable", 59, false],
  ["reusable", 60, true],
  ["reusable", 158_112_000, true],
  ["reusable", 158_112_001, false],
  ["single_use", 60, true],
  ["single_use", 3_600, true],
  ["single_use", 3_601, false],
  ["single_use", -60, false],
] as const)("a %s token for %i s: %s", (usage, expiresInS, isGood) => {
  expect(problemOfTerms({ usage, expiresInS }, rules)?.param).toBe(isGood ? undefined : "expires_in");
});

test("the latest month that has ended is the one whose cards end by now, at every hour around the turn", () => {
  for (const graceDays of [0, 1, 180, 1_095]) {
    for (let month = 0; month < 30; month++) {
      const endMs = Date.UTC(2026, month + 1, 1 + graceDays, 12);
      const card = { expMonth: (month % 12) + 1, expYear: 2026 + Math.floor(month / 12) };
      expect(endOfCardMs(card, { graceDays })).toBe(endMs);
      expect(latestEndedMonth({ graceDays }, endMs)).toEqual(card);
      expect(latestEndedMonth({ graceDays }, endMs - 1)).not.toEqual(card);
      expect(endOfCardMs(latestEndedMonth({ graceDays }, endMs - 1), { graceDays })).toBeLessThan(endMs);
    }
  }
});
