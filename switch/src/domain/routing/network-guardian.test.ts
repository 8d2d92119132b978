import fc from "fast-check";
import { expect, test } from "vitest";
import { type Decline, dayMs, guardRetry, historyOf, windowMs } from "./network-guardian.ts";

const nowMs = Date.UTC(2026, 0, 15, 12);
const at = (agoMs: number, isCategoryOne = false): Decline => ({ atMs: nowMs - agoMs, isCategoryOne });
const times = (count: number, agoMs: number): Decline[] => Array.from({ length: count }, () => at(agoMs));
const verdict = (declines: readonly Decline[]) => {
  const answer = guardRetry(historyOf(declines, nowMs));
  return answer.kind === "allowed" ? "allowed" : answer.reason;
};

test.each<[string, readonly Decline[], string]>([
  ["a card without a past", [], "allowed"],
  ["nine declines today", times(9, 0), "allowed"],
  ["ten declines today", times(10, 0), "network_declines_per_day"],
  ["ten declines, one of them exactly 24 hours ago", [...times(9, 0), at(dayMs)], "allowed"],
  ["ten declines, one of them a millisecond less ago", [...times(9, 0), at(dayMs - 1)], "network_declines_per_day"],
  ["fourteen declines this month", times(14, dayMs), "allowed"],
  ["fifteen declines this month", times(15, dayMs), "network_declines_per_30_days"],
  ["fifteen declines, one of them exactly 30 days ago", [...times(14, dayMs), at(windowMs)], "allowed"],
  ["one of category 1 this month", [at(windowMs - 1, true)], "network_category_1"],
  ["one of category 1 before", [at(windowMs, true)], "allowed"],
  ["a decline from a clock that runs ahead", times(10, -5_000), "network_declines_per_day"],
])("%s: %s", (_name, declines, expected) => {
  expect(verdict(declines)).toBe(expected);
});

test("asked before each try, no card is declined more than 10 times in any 24 hours nor 15 times in any 30 days", () => {
  const gap = fc.oneof(fc.nat(60_000), fc.nat(3 * 60 * 60 * 1000), fc.nat(4 * dayMs));
  let refusals = 0;
  fc.assert(
    fc.property(fc.array(gap, { minLength: 40, maxLength: 120 }), (gaps) => {
      const declines: Decline[] = [];
      let clockMs = nowMs;
      for (const gapMs of gaps) {
        clockMs += gapMs;
        if (guardRetry(historyOf(declines, clockMs)).kind === "allowed") declines.push({ atMs: clockMs, isCategoryOne: false });
        else refusals += 1;
      }
      const within = (spanMs: number) =>
        Math.max(...declines.map(({ atMs }) => declines.filter((one) => one.atMs >= atMs && one.atMs < atMs + spanMs).length));
      expect(within(dayMs)).toBeLessThanOrEqual(10);
      expect(within(windowMs)).toBeLessThanOrEqual(15);
    }),
  );
  expect(refusals).toBeGreaterThan(0);
});

test("a card is never tried again within 30 days of a category 1 decline, in whatever order declines are known", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([at(1), at(2), at(3, true), at(dayMs)], { minLength: 4 }), (declines) => {
      expect(verdict(declines)).toBe("network_category_1");
    }),
  );
});
