import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AdaptiveLimit, createAdaptiveLimit } from "./adaptive-limit.ts";

const settings = { min: 16, max: 4_096, targetMs: 50 };

/**
 * A house that does `perMs` calls per ms, each of which then waits for somebody else, `processorMs` on average and from two fifths to eight
 * fifths of it. Our own time is the queue before the work.
 */
function house(o: { readonly perMs: number; readonly processorMs: number; readonly offeredPerMs: number }) {
  const clock = { ms: 0 };
  const limit = createAdaptiveLimit(settings, () => clock.ms);
  const queue: number[] = [];
  /** Own times of those who wait elsewhere, by the ms in which they come back. */
  const away = new Map<number, { readonly ownMs: number; readonly elsewhereMs: number }[]>();
  let [awayCount, seed] = [0, 1];
  const drawn = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const changes = { ...o };
  const seen = { ownMs: [] as number[], done: 0 };
  let [credit, offered] = [0, 0];
  const step = (): void => {
    clock.ms += 1;
    offered += changes.offeredPerMs;
    for (; offered >= 1; offered -= 1) {
      if (queue.length + awayCount >= limit.current) continue;
      queue.push(clock.ms);
      limit.began();
    }
    credit = Math.min(credit + changes.perMs, queue.length === 0 ? 1 : 1_000);
    for (; credit >= 1 && queue.length > 0; credit -= 1) {
      const ownMs = clock.ms - (queue.shift() ?? 0);
      const elsewhereMs = Math.max(1, Math.round(changes.processorMs * (0.4 + 1.2 * drawn())));
      const backAtMs = clock.ms + elsewhereMs;
      away.set(backAtMs, [...(away.get(backAtMs) ?? []), { ownMs, elsewhereMs }]);
      awayCount += 1;
    }
    for (const spent of away.get(clock.ms) ?? []) {
      limit.ended(spent);
      awayCount -= 1;
      seen.ownMs.push(spent.ownMs);
      seen.done += 1;
    }
    away.delete(clock.ms);
  };
  return {
    limit,
    changes,
    run(ms: number) {
      seen.ownMs = [];
      seen.done = 0;
      for (let passed = 0; passed < ms; passed += 1) step();
      return { perMs: seen.done / ms, worstOwnMs: seen.ownMs.reduce((worst, ms) => Math.max(worst, ms), 0) };
    },
  };
}

describe("under four times of what a house can do", () => {
  test.each([
    { perMs: 0.2, processorMs: 20 },
    { perMs: 2, processorMs: 20 },
    { perMs: 20, processorMs: 20 },
    { perMs: 2, processorMs: 750 },
  ])("what it can do is done, and nobody waits long for us: %o", (size) => {
    const { run } = house({ ...size, offeredPerMs: 4 * size.perMs });
    run(10_000);
    const { perMs, worstOwnMs } = run(10_000);
    expect(perMs).toBeGreaterThan(0.95 * size.perMs);
    // In a small house the least that there is makes a queue. And what a step did is known when calls end: with a slow processor, later.
    expect(worstOwnMs).toBeLessThan(Math.max(2 * settings.targetMs, settings.min / size.perMs, size.processorMs));
  });
});

test("a rush from a calm is met by a limit that is near: no second of it waits for long", () => {
  const { run, changes } = house({ perMs: 2, processorMs: 20, offeredPerMs: 1 });
  run(20_000);
  changes.offeredPerMs = 40;
  for (let second = 0; second < 5; second += 1) expect(run(1_000).worstOwnMs).toBeLessThan(3 * settings.targetMs);
});

test("a processor that becomes slow gets the places that it needs, within seconds", () => {
  const { run, changes } = house({ perMs: 2, processorMs: 20, offeredPerMs: 1 });
  run(5_000);
  changes.processorMs = 1_000;
  run(5_000);
  expect(run(2_000).perMs).toBeGreaterThan(0.95);
});

test("few calls that a slow processor keeps long get the places that they need", () => {
  const { run, changes } = house({ perMs: 2, processorMs: 5_000, offeredPerMs: 0.002 });
  run(60_000);
  changes.offeredPerMs = 0.05;
  run(15_000);
  expect(run(20_000).perMs).toBeGreaterThan(0.045);
});

test("a house that works in waves is not given more while a wave is under way", () => {
  const clock = { ms: 0 };
  const limit = createAdaptiveLimit(settings, () => clock.ms);
  const waveMs = 400;
  const beganMs: number[] = [];
  let most = 0;
  for (; clock.ms < 20_000; clock.ms += 1) {
    while (beganMs.length < limit.current) {
      limit.began();
      beganMs.push(clock.ms);
    }
    if (clock.ms > 4_000) most = Math.max(most, limit.current);
    if (clock.ms % waveMs === 0) for (const startedMs of beganMs.splice(0)) limit.ended({ ownMs: clock.ms - startedMs, elsewhereMs: 0 });
  }
  expect(most).toBeLessThan(1.5 * settings.min);
});

test("a house that becomes slower is given less", () => {
  const { run, changes, limit } = house({ perMs: 2, processorMs: 20, offeredPerMs: 8 });
  run(10_000);
  const before = limit.current;
  changes.perMs = 1;
  run(2_000);
  expect(limit.current).toBeLessThan(0.7 * before);
  expect(run(2_000).worstOwnMs).toBeLessThan(2 * settings.targetMs);
});

test("a few slow calls of a calm house move nothing below its least", () => {
  const clock = { ms: 0 };
  const limit: AdaptiveLimit = createAdaptiveLimit(settings, () => clock.ms);
  for (let call = 0; call < 1_000; call += 1) {
    limit.began();
    clock.ms += 60;
    limit.ended({ ownMs: 5_000, elsewhereMs: 0 });
  }
  expect(limit.current).toBe(settings.min);
});

test("it stays whole and within its bounds, whatever happens", () => {
  const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
  const spent = fc.option(fc.record({ ownMs: ms, elsewhereMs: ms }), { nil: undefined });
  const move = fc.record({ waitMs: fc.nat(500), begin: fc.nat(2_000), end: fc.nat(2_000), spent });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 500 }), (moves) => {
      const clock = { ms: 0 };
      const limit = createAdaptiveLimit(settings, () => clock.ms);
      let inFlight = 0;
      return moves.every(({ waitMs, begin, end, spent: times }) => {
        for (let count = 0; count < begin; count += 1) limit.began();
        inFlight += begin;
        clock.ms += waitMs;
        const ended = Math.min(end, inFlight);
        for (let count = 0; count < ended; count += 1) limit.ended(times);
        inFlight -= ended;
        return Number.isInteger(limit.current) && limit.current >= settings.min && limit.current <= settings.max;
      });
    }),
  );
});

test("other bounds hold at once, and what was found stays within them", () => {
  const limit = createAdaptiveLimit(settings, () => 0);
  expect(limit.current).toBe(16);
  limit.adopt({ ...settings, min: 100 });
  expect(limit.current).toBe(100);
  limit.adopt({ ...settings, min: 10 });
  expect(limit.current).toBe(100);
  limit.adopt({ ...settings, min: 1, max: 20 });
  expect(limit.current).toBe(20);
  expect(() => limit.adopt({ ...settings, min: 0 })).toThrow(/min and max/);
});
