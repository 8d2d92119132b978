/**
 * How many requests without a valid key one address may make. Requests with a proven key never come here, so a neighbour behind the same
 * address is not harmed by a guesser; only a key that is not in the cache yet has to wait.
 */
import { AppError } from "@florin/kernel";
import type { Metrics } from "@florin/runtime/telemetry";
import { LRUCache } from "lru-cache";
import { type BucketRate, fullBucket, returnToken, type TokenBucket, takeToken } from "../domain/token-bucket.ts";

export interface FailureLimit {
  /** Counts one failure. Throws AppError rate_limited when this address has none left. */
  take(address: string): void;
  giveBack(address: string): void;
}

const addressesMax = 10_000;

export function createFailureLimit(o: { rate: BucketRate; now: () => number; metrics: Pick<Metrics, "counter"> }): FailureLimit {
  const buckets = new LRUCache<string, TokenBucket>({ max: addressesMax });
  const refusals = o.metrics.counter("edge_rate_limited_total");
  const bucketOf = (address: string): TokenBucket => {
    const known = buckets.get(address);
    if (known !== undefined) return known;
    const fresh = fullBucket(o.rate, o.now());
    buckets.set(address, fresh);
    return fresh;
  };
  return {
    take(address) {
      const waitMs = takeToken(bucketOf(address), o.rate, o.now());
      if (waitMs === 0) return;
      refusals.add();
      throw new AppError("rate_limited", "Too many requests without a valid API key.", { work: "not_done", retryAfterMs: waitMs });
    },
    giveBack: (address) => returnToken(bucketOf(address), o.rate),
  };
}
