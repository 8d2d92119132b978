/** Delays between attempts to reach a peer again: doubling, bounded, jittered so that many clients do not return together. */

export type Backoff = { /** The next delay, ms. */ next(): number /** After a success. */; reset(): void };

export function createBackoff(o: { readonly delayMsMin: number; readonly delayMsMax: number; readonly random?: () => number }): Backoff {
  const random = o.random ?? Math.random;
  let delayMs = o.delayMsMin;
  return {
    next() {
      // Half fixed, half random: never zero, never in step.
      const jittered = delayMs / 2 + (delayMs / 2) * random();
      delayMs = Math.min(delayMs * 2, o.delayMsMax);
      return jittered;
    },
    reset() {
      delayMs = o.delayMsMin;
    },
  };
}
