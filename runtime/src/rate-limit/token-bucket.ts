/**
 * A token bucket: at most `burst` at once, `perSecond` on average.
 *
 * Buckets are changed in place: there is one per API key and one is taken per request.
 */
export type BucketRate = { readonly burst: number; readonly perSecond: number };
/** `lastTurnMs`: when the last of those comes again who found it empty; `lastRefusedMs`: when that one was there. */
export type TokenBucket = { tokens: number; updatedAtMs: number; lastTurnMs: number; lastRefusedMs: number };

/** When nobody found it empty for so long, the rush is over, and the next one waits behind nobody. */
const rushEndsAfterMs = 1_000;

export function fullBucket(rate: BucketRate, nowMs: number): TokenBucket {
  return { tokens: rate.burst, updatedAtMs: nowMs, lastTurnMs: nowMs, lastRefusedMs: nowMs };
}

/** Takes one token: 0. None left: the time until there is one, whole ms, at least 1; nothing is taken. A clock that steps back adds nothing. */
export function takeToken(bucket: TokenBucket, rate: BucketRate, nowMs: number): number {
  const elapsedMs = nowMs - bucket.updatedAtMs;
  // Also when no time has passed: the rate may have become smaller.
  bucket.tokens = Math.min(rate.burst, bucket.tokens + (Math.max(0, elapsedMs) * rate.perSecond) / 1_000);
  bucket.updatedAtMs = nowMs;
  if (bucket.tokens < 1) return Math.max(1, Math.ceil(((1 - bucket.tokens) * 1_000) / rate.perSecond));
  bucket.tokens -= 1;
  return 0;
}

/**
 * When somebody shall come again who found none left, whole ms from now: when there is a token for him, behind those who found none before, within
 * `waitMsMax`. Told the same time, all of them would be back at once, and all but one for nothing. `waitMs`: as `takeToken` said.
 */
export function giveTurn(bucket: TokenBucket, rate: BucketRate, o: { nowMs: number; waitMs: number; waitMsMax: number }): number {
  if (o.nowMs - bucket.lastRefusedMs >= rushEndsAfterMs) bucket.lastTurnMs = o.nowMs;
  bucket.lastRefusedMs = o.nowMs;
  const turnMs = Math.max(bucket.lastTurnMs + 1_000 / rate.perSecond, o.nowMs + o.waitMs);
  bucket.lastTurnMs = Math.min(turnMs, o.nowMs + Math.max(o.waitMs, o.waitMsMax));
  return Math.ceil(bucket.lastTurnMs - o.nowMs);
}

/** Gives back a token that was taken for something that turned out not to count. */
export function returnToken(bucket: TokenBucket, rate: BucketRate): void {
  bucket.tokens = Math.min(rate.burst, bucket.tokens + 1);
}
