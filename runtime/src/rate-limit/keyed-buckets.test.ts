import { expect, test } from "vitest";
import { createKeyedBuckets } from "./keyed-buckets.ts";

const rate = { burst: 2, perSecond: 1 };

test("each name has a bucket of its own", () => {
  const buckets = createKeyedBuckets({ rate, namesMax: 10, now: () => 0 });
  expect([buckets.take("a"), buckets.take("a"), buckets.take("a"), buckets.take("b")]).toEqual([0, 0, 1_000, 0]);
});

test("a name comes back when time has passed, or when its token is given back", () => {
  let nowMs = 0;
  const buckets = createKeyedBuckets({ rate, namesMax: 10, now: () => nowMs });
  for (let taken = 0; taken < 2; taken++) buckets.take("a");
  expect(buckets.take("a")).toBe(1_000);
  nowMs = 1_000;
  expect([buckets.take("a"), buckets.take("a")]).toEqual([0, 1_000]);
  buckets.giveBack("a");
  expect([buckets.take("a"), buckets.take("a")]).toEqual([0, 1_000]);
});

test("who finds none left gets a turn behind the others, within a bound", () => {
  let nowMs = 0;
  const buckets = createKeyedBuckets({ rate, namesMax: 10, now: () => nowMs, turnMsMax: () => 3_500 });
  const told = () => Array.from({ length: 6 }, () => buckets.take("a"));
  expect(told()).toEqual([0, 0, 1_000, 2_000, 3_000, 3_500]);
  expect(buckets.take("b")).toBe(0);
  nowMs = 999;
  expect(told().slice(0, 2)).toEqual([3_500, 3_500]);
});

test("when nobody found none for a second the rush is over, and the next one waits behind nobody", () => {
  let nowMs = 0;
  const buckets = createKeyedBuckets({ rate, namesMax: 10, now: () => nowMs, turnMsMax: () => 120_000 });
  const last = (count: number) => Array.from({ length: count }, () => buckets.take("a")).at(-1);
  expect(last(102)).toBe(100_000);
  nowMs = 900;
  expect(last(1)).toBe(100_100);
  nowMs = 1_900;
  expect(last(3)).toBe(2_000);
  nowMs = 60_000;
  expect(last(5)).toBe(3_000);
});

test("more names than the bound push out the least used one only, so memory does not grow", () => {
  const buckets = createKeyedBuckets({ rate, namesMax: 3, now: () => 0 });
  for (const name of ["old", "old", "busy", "busy"]) buckets.take(name);
  for (let index = 0; index < 1_000; index++) {
    buckets.take(`flood ${index}`);
    expect(buckets.take("busy")).toBe(1_000);
  }
  expect(buckets.take("old")).toBe(0);
});

test("a name whose rate becomes smaller keeps no more than its new burst, and one whose rate grows fills up faster", () => {
  let nowMs = 0;
  const buckets = createKeyedBuckets({ rate: { burst: 100, perSecond: 100 }, namesMax: 10, now: () => nowMs });
  buckets.take("a");
  const small = { burst: 2, perSecond: 1 };
  expect([buckets.take("a", small), buckets.take("a", small), buckets.take("a", small)]).toEqual([0, 0, 1_000]);
  nowMs = 100;
  expect(buckets.take("a")).toBe(0);
});
