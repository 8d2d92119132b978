import { expect, test } from "vitest";
import { createFollowedOperations, type Followed } from "./followed.ts";

const hourMs = 60 * 60 * 1_000;

function open() {
  const clock = { nowMs: 0 };
  const followed = createFollowedOperations(() => clock.nowMs);
  const add = (number: number) =>
    followed.add({ which: { id: `pay_${number}`, merchantId: "mer_1" }, operationUuid: `op_${number}`, position: BigInt(number) });
  const due = () => [...followed.due()].map(({ operationUuid }) => operationUuid);
  /** As if they had been asked in vain. */
  const ask = (isOld: boolean): number => {
    const asked = [...followed.due()];
    for (const one of asked) {
      one.tries += 1;
      followed.again(one, isOld);
    }
    return asked.length;
  };
  return { clock, followed, add, due, ask };
}

test("the first question comes after a second, the next ones in pauses that double, up to ten minutes for young ones and an hour for old ones", () => {
  for (const [isOld, longestMs] of [
    [false, hourMs / 6],
    [true, hourMs],
  ] as const) {
    const { clock, add, ask } = open();
    add(1);
    const pauses: number[] = [];
    for (let turn = 0; turn < 16; turn += 1) {
      const fromMs = clock.nowMs;
      while (ask(isOld) === 0) clock.nowMs += 1_000;
      pauses.push(clock.nowMs - fromMs);
    }
    // Old ones are looked at every ten seconds.
    const roundedMs = isOld ? 10_000 : 0;
    for (const [turn, ms] of pauses.slice(0, 5).entries()) {
      expect(ms).toBeGreaterThanOrEqual(1_000 * 2 ** turn);
      expect(ms).toBeLessThanOrEqual(1_000 * 2 ** turn + roundedMs);
    }
    expect([pauses.at(-2), pauses.at(-1)]).toEqual([longestMs, longestMs]);
  }
});

test("a full room takes nothing new, and old ones leave it for theirs", () => {
  const { clock, followed, add, due, ask } = open();
  for (let number = 1; number <= 50_000; number += 1) expect(add(number)).toBe(true);
  expect([add(50_001), add(1)]).toEqual([false, true]);
  clock.nowMs = 1_000;
  ask(false);
  expect(add(50_001)).toBe(false);
  clock.nowMs += hourMs;
  ask(true);
  expect([add(50_001), add(1)]).toEqual([true, true]);
  clock.nowMs += 1_000;
  expect(due()).toEqual(["op_50001"]);
  clock.nowMs += 2 * hourMs;
  expect(due()).toHaveLength(50_001);
  expect([...followed.all()]).toHaveLength(50_001);
});

test("where the room of the old ones is full, they keep their places, and nothing is forgotten", () => {
  const { clock, followed, add, ask } = open();
  for (let from = 1; from <= 150_001; from += 50_000) {
    for (let number = from; number < from + 50_000; number += 1) add(number);
    clock.nowMs += 2 * hourMs;
    ask(true);
  }
  expect([...followed.all()]).toHaveLength(150_000);
  expect(add(200_000)).toBe(false);
});

test("an old one of which there is news is due at once", () => {
  const { clock, followed, add, due, ask } = open();
  add(1);
  clock.nowMs = 1_000;
  ask(true);
  clock.nowMs += 11_000;
  expect(due()).toEqual(["op_1"]);
  ask(true);
  expect([due(), followed.hurry("op_1"), due(), followed.hurry("op_2")]).toEqual([[], true, ["op_1"], false]);
});

test("what is being asked about is not due, and what is decided is gone", () => {
  const { clock, followed, add, due } = open();
  add(1);
  clock.nowMs = 1_000;
  const [one] = [...followed.due()] as [Followed];
  one.isUnderWay = true;
  expect(due()).toEqual([]);
  followed.letGo(one);
  expect([...followed.all()]).toEqual([]);
});

test("one that nobody could be asked about comes again within half a minute, old or young", () => {
  const { clock, followed, add, due } = open();
  add(1);
  clock.nowMs = 1_000;
  const [one] = [...followed.due()] as [Followed];
  one.tries = 20;
  one.refusals = 1;
  followed.again(one, true);
  clock.nowMs += 30_000;
  expect(due()).toEqual(["op_1"]);
});
