/**
 * One token bucket per name (a key, an address), for at most `namesMax` names: the least used is dropped first and begins anew.
 *
 * Per process and in memory: `n` processes give a name `n` times the rate. A limit over all of them costs a round trip per request.
 */
import { LRUCache } from "lru-cache";
import { type BucketRate, fullBucket, giveTurn, returnToken, type TokenBucket, takeToken } from "./token-bucket.ts";

export interface KeyedBuckets {
  /**
   * Takes one token: 0. None left: milliseconds, at least 1, until there is one, or until the caller's turn; nothing is taken. `rate`: now for this
   * name, if not everybody's.
   */
  take(name: string, rate?: BucketRate): number;
  /** Gives back a token that was taken for something that turned out not to count. */
  giveBack(name: string): void;
}

/** `now`: milliseconds. `turnMsMax`: who finds none left is given a turn, at most so far away now, ms; absent: everybody is told when the next token is there. */
export function createKeyedBuckets(o: { rate: BucketRate; namesMax: number; now: () => number; turnMsMax?: () => number }): KeyedBuckets {
  const buckets = new LRUCache<string, TokenBucket>({ max: o.namesMax });
  const bucketOf = (name: string, nowMs: number, rate: BucketRate): TokenBucket => {
    const known = buckets.get(name);
    if (known !== undefined) return known;
    const fresh = fullBucket(rate, nowMs);
    buckets.set(name, fresh);
    return fresh;
  };
  return {
    take(name, rate = o.rate) {
      const nowMs = o.now();
      const bucket = bucketOf(name, nowMs, rate);
      const waitMs = takeToken(bucket, rate, nowMs);
      return waitMs === 0 || o.turnMsMax === undefined ? waitMs : giveTurn(bucket, rate, { nowMs, waitMs, waitMsMax: o.turnMsMax() });
    },
    giveBack: (name) => returnToken(bucketOf(name, o.now(), o.rate), o.rate),
  };
}
