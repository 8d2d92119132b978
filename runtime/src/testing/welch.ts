/**
 * Do two things take the same time? Welch's t over interleaved samples, for benches that look for timing leaks (after Reparaz, Balasch, Verbauwhede:
 * "Dude, is my code constant time?").
 *
 * The two are run in an order drawn at random, so that whatever else the machine does falls on both. Samples above a common bound are left out:
 * they tell of the scheduler and the collector. |t| of 4.5 or more says that they differ; less says that so many samples do not show it.
 */
import { randomInt } from "node:crypto";

/** `prepare` makes each sample's input anew, outside of the time that is taken: one that is used again tells of caches and of where it lies. */
export type Timed = { readonly name: string; readonly prepare: () => string; readonly run: (input: string) => unknown };
export type Compared = { readonly samples: number; readonly leftNs: number; readonly rightNs: number; readonly t: number };

/** Share of all samples that is kept, the shortest ones. */
const keptShare = 0.9;
const warmUpRounds = 2_000;

/** Runs both for at most `timeMsMax` (ms) and at most `samplesMax` times each; awaits what is awaitable. */
export async function compareTimes(o: { left: Timed; right: Timed; samplesMax: number; timeMsMax: number }): Promise<Compared> {
  const times: [number[], number[]] = [[], []];
  const sides = [o.left, o.right] as const;
  const untilMs = performance.now() + o.timeMsMax;
  for (let round = 0; round < warmUpRounds && performance.now() < untilMs - o.timeMsMax * 0.9; round++)
    for (const { prepare, run } of sides) await run(prepare());
  for (let count = 0; count < o.samplesMax * 2 && (count % 64 !== 0 || performance.now() < untilMs); count++) {
    const side = randomInt(2) as 0 | 1;
    // Both are prepared, so that neither finds the processor's caches as the other would not.
    const inputs = [sides[0].prepare(), sides[1].prepare()] as const;
    const startedAt = process.hrtime.bigint();
    const done = sides[side].run(inputs[side]);
    if (done instanceof Promise) await done;
    times[side].push(Number(process.hrtime.bigint() - startedAt));
  }
  const bound = quantile([...times[0], ...times[1]], keptShare);
  const [left, right] = times.map((all) => momentsOf(all.filter((time) => time <= bound))) as [Moments, Moments];
  return { samples: left.count + right.count, leftNs: left.mean, rightNs: right.mean, t: welchT(left, right) };
}

export type Moments = { readonly count: number; readonly mean: number /** Of the sample, by n - 1. */; readonly variance: number };

export function momentsOf(values: readonly number[]): Moments {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return { count, mean, variance };
}

export function welchT(left: Moments, right: Moments): number {
  return (left.mean - right.mean) / Math.sqrt(left.variance / left.count + right.variance / right.count);
}

function quantile(values: number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}
