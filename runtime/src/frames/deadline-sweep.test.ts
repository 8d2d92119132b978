import { afterEach, expect, test, vi } from "vitest";
import { createBackoff } from "./backoff.ts";
import { DeadlineSweep } from "./deadline-sweep.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** Deadlines under a fake clock; returns when each was noticed. */
function watched() {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const startMs = performance.now();
  const deadlines = new Set<number>();
  const noticed: { deadlineMs: number; atMs: number }[] = [];
  let sweepCount = 0;
  const sweep = new DeadlineSweep((nowMs) => {
    sweepCount += 1;
    for (const deadlineMs of deadlines) {
      if (deadlineMs > nowMs) continue;
      deadlines.delete(deadlineMs);
      noticed.push({ deadlineMs: deadlineMs - startMs, atMs: nowMs - startMs });
    }
    return Math.min(...deadlines);
  });
  const watch = (inMs: number) => {
    deadlines.add(performance.now() + inMs);
    sweep.watch(performance.now() + inMs);
  };
  return { watch, noticed, sweeps: () => sweepCount, sweep };
}

test("every deadline is noticed after it passed and at most 51 ms late, whatever their order", () => {
  const { watch, noticed } = watched();
  for (const inMs of [900, 20, 500, 21, 499, 3_000]) watch(inMs);
  vi.advanceTimersByTime(4_000);
  expect(noticed).toHaveLength(6);
  for (const { deadlineMs, atMs } of noticed) {
    expect(atMs).toBeGreaterThanOrEqual(deadlineMs);
    expect(atMs - deadlineMs).toBeLessThanOrEqual(51);
  }
});

test("a thousand deadlines within one granule cost one sweep, and a stopped sweep costs none", () => {
  const { watch, sweeps, sweep } = watched();
  for (let index = 0; index < 1_000; index += 1) watch(1_000 + index / 1_000);
  vi.advanceTimersByTime(2_000);
  expect(sweeps()).toBeLessThanOrEqual(2);
  watch(100);
  sweep.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("delays between attempts double up to their bound, are never zero and never in step", () => {
  const low = createBackoff({ delayMsMin: 50, delayMsMax: 400, random: () => 0 });
  expect([1, 2, 3, 4, 5].map(() => low.next())).toEqual([25, 50, 100, 200, 200]);
  const high = createBackoff({ delayMsMin: 50, delayMsMax: 400, random: () => 0.999 });
  expect(high.next()).toBeGreaterThan(49);
  high.next();
  high.reset();
  expect(high.next()).toBeLessThanOrEqual(50);
});
