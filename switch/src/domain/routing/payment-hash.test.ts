import { makeId } from "@florin/kernel";
import { expect, test } from "vitest";
import { drawBps, drawIndex } from "./payment-hash.ts";

const count = 20_000;
/** Ids of one millisecond, alike but for a counter: the least that a hash has to work with. */
const ids = Array.from({ length: count }, (_, index) => {
  const random = new Uint8Array(10);
  new DataView(random.buffer).setUint32(6, index);
  return makeId("payment", 1_768_478_400_000, random);
});

/** Pearson's statistic of how far counts are from an even spread. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, one) => sum + one, 0) / counts.length;
  return counts.reduce((sum, one) => sum + (one - expected) ** 2 / expected, 0);
}

function tally(draws: readonly number[], slots: number): number[] {
  const counts = new Array<number>(slots).fill(0);
  for (const draw of draws) counts[draw] = (counts[draw] ?? 0) + 1;
  return counts;
}

// 0.1 % points of the chi-square distribution with 99 and with 6 degrees of freedom.
const limit99 = 148.2;
const limit6 = 22.5;

test("draws are spread evenly, also over ids that differ in their last characters only", () => {
  expect(
    chiSquare(
      tally(
        ids.map((id) => Math.floor(drawBps(id, "rules") / 100)),
        100,
      ),
    ),
  ).toBeLessThan(limit99);
  expect(
    chiSquare(
      tally(
        ids.map((id) => drawIndex(id, "explored", 7)),
        7,
      ),
    ),
  ).toBeLessThan(limit6);
});

test("draws under two salts know nothing of each other", () => {
  const pairs = ids.map((id) => Math.floor(drawBps(id, "rules") / 1_000) * 10 + Math.floor(drawBps(id, "explore") / 1_000));
  expect(chiSquare(tally(pairs, 100))).toBeLessThan(limit99);
});

test("a payment draws the same for ever: stored decisions and replicas of other releases rely on it", () => {
  expect([drawBps("pay_01jhmvw3k8q2r5t7v9x1z3b5d7", "rules"), drawIndex("pay_01jhmvw3k8q2r5t7v9x1z3b5d7", "explored", 5)]).toEqual([
    2_691, 4,
  ]);
});
