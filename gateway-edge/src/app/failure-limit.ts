/**
 * How many requests without a valid key one address may make. Requests with a proven key never come here, so a neighbour behind the same
 * address is not harmed by a guesser; only a key that is not in the cache yet has to wait.
 */
import { AppError } from "@florin/kernel";
import { type BucketRate, createKeyedBuckets, networkOf } from "@florin/runtime/rate-limit";
import type { Metrics } from "@florin/runtime/telemetry";

export interface FailureLimit {
  /** Counts one failure. Throws AppError rate_limited when this address has none left. */
  take(address: string): void;
  giveBack(address: string): void;
}

const networksMax = 10_000;

export function createFailureLimit(o: { rate: BucketRate; now: () => number; metrics: Pick<Metrics, "counter"> }): FailureLimit {
  const buckets = createKeyedBuckets({ rate: o.rate, namesMax: networksMax, now: o.now });
  const refusals = o.metrics.counter("edge_rate_limited_total");
  return {
    take(address) {
      const waitMs = buckets.take(networkOf(address));
      if (waitMs === 0) return;
      refusals.add();
      throw new AppError("rate_limited", "Too many requests without a valid API key.", { work: "not_done", retryAfterMs: waitMs });
    },
    giveBack: (address) => buckets.giveBack(networkOf(address)),
  };
}
