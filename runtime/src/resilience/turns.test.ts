import { expect, test } from "vitest";
import { createTurns } from "./turns.ts";

function door() {
  const clock = { ms: 0 };
  const turns = createTurns({ waitMsMin: 1_000, waitMsMax: 30_000 }, () => clock.ms);
  /** One second with so many let in and sent away, evenly; when those sent away come again. */
  const second = (admitted: number, sentAway: number): number[] => {
    const startedMs = clock.ms;
    const back: number[] = [];
    for (let ms = 0; ms < 1_000; ms += 1) {
      clock.ms = startedMs + ms;
      for (let one = Math.floor((ms * admitted) / 1_000); one < Math.floor(((ms + 1) * admitted) / 1_000); one += 1) turns.admitted();
      for (let one = Math.floor((ms * sentAway) / 1_000); one < Math.floor(((ms + 1) * sentAway) / 1_000); one += 1)
        back.push(clock.ms + turns.sentAway());
    }
    clock.ms = startedMs + 1_000;
    return back;
  };
  return { clock, turns, second };
}

test("whoever is sent away out of a calm waits the least", () => {
  const { turns, second } = door();
  second(100, 0);
  expect(turns.sentAway()).toBe(1_000);
});

test("a calm before it is not taken for the pace of the house", () => {
  const { clock, turns } = door();
  turns.admitted();
  clock.ms = 28_000;
  turns.admitted();
  expect([turns.sentAway(), turns.sentAway(), turns.sentAway()]).toEqual([1_000, 1_000, 1_000]);
});

test("a crowd comes back one after the other, no faster than work is taken in", () => {
  const { second } = door();
  second(1_000, 0);
  const back = Array.from({ length: 5 }, () => second(1_000, 3_000)).flat();
  const perSecond = new Map<number, number>();
  for (const ms of back) perSecond.set(Math.floor(ms / 1_000), (perSecond.get(Math.floor(ms / 1_000)) ?? 0) + 1);
  for (const count of perSecond.values()) expect(count).toBeLessThanOrEqual(1_010);
});

test("nobody is told to wait longer than the bound, and a crowd that is gone is forgotten within seconds", () => {
  const { turns, second } = door();
  second(10, 0);
  for (let seconds = 0; seconds < 20; seconds += 1) second(10, 1_000);
  expect(turns.sentAway()).toBe(30_000);
  second(10, 0);
  second(10, 0);
  expect(turns.sentAway()).toBe(1_000);
});

test("while nothing is let in the least wait is told: nobody knows more", () => {
  const { second } = door();
  second(0, 100);
  const startedMs = 1_000;
  const back = second(0, 1_000);
  expect(Math.max(...back)).toBeLessThanOrEqual(startedMs + 2_000);
});

test("other waits hold for who is sent away next", () => {
  const { turns, second } = door();
  second(10, 0);
  second(10, 1_000);
  expect(turns.sentAway()).toBe(30_000);
  turns.adopt({ waitMsMin: 2_000, waitMsMax: 5_000 });
  expect(turns.sentAway()).toBe(5_000);
  expect(() => turns.adopt({ waitMsMin: 2, waitMsMax: 1 })).toThrow(/waits/);
});
