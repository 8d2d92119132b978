/**
 * How often one API key may call this process. Buckets outlive the entries of the key cache, so that a key does not get a fresh one by being
 * looked up again.
 */
import { sentAway } from "@florin/kernel";
import { type BucketRate, createKeyedBuckets } from "@florin/runtime/rate-limit";
import type { Metrics } from "@florin/runtime/telemetry";
import type { ApiKey } from "../domain/api-key.ts";

export interface RateLimit {
  /** Counts one request. Throws AppError rate_limited with `retryAfterMs` when the key has none left. */
  take(key: ApiKey): void;
}

const keysMax = 10_000;

/**
 * A merchant at many times its rate is told to come as its calls can be taken, `turnMsMax` ahead at most, and knocks less for nothing: the
 * others pay for each knock. `rateOf` and `turnMsMax` are asked each time: they may change while the process runs.
 */
export function createRateLimit(o: {
  readonly rateOf: (merchantId: string) => BucketRate;
  /** ms */
  readonly turnMsMax: () => number;
  readonly now: () => number;
  readonly metrics: Pick<Metrics, "counter">;
}): RateLimit {
  const buckets = createKeyedBuckets({ rate: o.rateOf(""), namesMax: keysMax, now: o.now, turnMsMax: o.turnMsMax });
  const refusals = o.metrics.counter("edge_rate_limited_total");
  return {
    take({ keyId, merchantId }) {
      const waitMs = buckets.take(keyId, o.rateOf(merchantId));
      if (waitMs === 0) return;
      refusals.add();
      throw sentAway("rate_limited", "Too many requests with this key.", waitMs);
    },
  };
}
