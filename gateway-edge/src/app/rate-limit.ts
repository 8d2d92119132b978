/**
 * How often one API key may call this process. Buckets outlive the entries of the key cache, so that a key does not get a fresh one by being
 * looked up again; the least used is dropped first.
 *
 * Per process: `n` edges give a key `n` times the rate. A limit over all edges costs a round trip per request and is not worth it here.
 */
import { AppError } from "@florin/kernel";
import type { Metrics } from "@florin/runtime/telemetry";
import { LRUCache } from "lru-cache";
import type { ApiKey } from "../domain/api-key.ts";
import { type BucketRate, fullBucket, type TokenBucket, takeToken } from "../domain/token-bucket.ts";

export interface RateLimit {
  /** Counts one request. Throws AppError rate_limited with `retryAfterMs` when the key has none left. */
  take(key: ApiKey): void;
}

const keysMax = 10_000;

export function createRateLimit(o: { rate: BucketRate; now: () => number; metrics: Pick<Metrics, "counter"> }): RateLimit {
  const buckets = new LRUCache<string, TokenBucket>({ max: keysMax });
  const refusals = o.metrics.counter("edge_rate_limited_total");
  return {
    take({ keyId }) {
      const nowMs = o.now();
      let bucket = buckets.get(keyId);
      if (bucket === undefined) {
        bucket = fullBucket(o.rate, nowMs);
        buckets.set(keyId, bucket);
      }
      const waitMs = takeToken(bucket, o.rate, nowMs);
      if (waitMs === 0) return;
      refusals.add();
      throw new AppError("rate_limited", "Too many requests with this key.", { work: "not_done", retryAfterMs: waitMs });
    },
  };
}
