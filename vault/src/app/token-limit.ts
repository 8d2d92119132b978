/**
 * How often one address, and one publishable key, may hand in cards.
 *
 * A publishable key is public, so anybody can try stolen cards or fill the vault with it (card testing). Every request of an address counts,
 * with or without a good key and a good card: guesses of keys and of numbers are what is to be slowed down. A key's limit holds however many
 * addresses its guessers have; who reaches it keeps that merchant's other payers waiting too, which is why the address comes first.
 *
 * Per process: `n` vaults give `n` times the rate. What is in memory is bounded; the least used name is forgotten first.
 */
import { AppError } from "@florin/kernel";
import { type BucketRate, createKeyedBuckets, type KeyedBuckets, networkOf } from "@florin/runtime/rate-limit";
import type { BoundCounter, Metrics } from "@florin/runtime/telemetry";
import type { PublishableKey } from "../domain/publishable-key.ts";

export interface TokenLimit {
  /** Counts one request. Throws AppError rate_limited with `retryAfterMs`; nothing was done. */
  takeAddress(address: string | undefined): void;
  /** Likewise, once the key is known to be good. */
  takeKey(key: PublishableKey): void;
}

const networksMax = 50_000;
const keysMax = 10_000;

/** `now`: milliseconds, monotonic. */
export function createTokenLimit(o: {
  addressRate: BucketRate;
  keyRate: BucketRate;
  now: () => number;
  metrics: Pick<Metrics, "counter">;
}): TokenLimit {
  const { now, metrics } = o;
  const networks = createKeyedBuckets({ rate: o.addressRate, namesMax: networksMax, now });
  const keys = createKeyedBuckets({ rate: o.keyRate, namesMax: keysMax, now });
  const refusals = {
    address: metrics.counter("vault_rate_limited_total", { by: "address" }),
    key: metrics.counter("vault_rate_limited_total", { by: "key" }),
  };
  const take = (buckets: KeyedBuckets, name: string, refused: BoundCounter, message: string): void => {
    const waitMs = buckets.take(name);
    if (waitMs === 0) return;
    refused.add();
    throw new AppError("rate_limited", message, { work: "not_done", retryAfterMs: waitMs });
  };
  return {
    takeAddress: (address) => take(networks, networkOf(address), refusals.address, "too many requests from this address"),
    takeKey: ({ keyId }) => take(keys, keyId, refusals.key, "too many cards with this publishable key"),
  };
}
