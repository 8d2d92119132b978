/**
 * From an Authorization header to the merchant whose publishable key it is.
 *
 * Found and unknown keys are remembered in two bounded caches of their own, so that a flood of guesses cannot push out keys that exist.
 * Deliberately not here: a stale answer while the database is away, because without it no card can be taken anyway.
 */
import { AppError, invalid } from "@florin/kernel";
import { LRUCache } from "lru-cache";
import { holdsSecretKey, type PublishableKey, parseBearer } from "../domain/publishable-key.ts";
import type { PublishableKeyStore } from "../store/publishable-keys.ts";
import { keyHash } from "./key-hash.ts";

const foundKeysMax = 10_000;
const unknownKeysMax = 10_000;
const lookupsInFlightMax = 256;

export interface Authenticator {
  /** Rejects with AppError: api_key_missing, api_key_invalid, unavailable, overloaded; nothing was done. */
  authenticate(authorization: string | undefined): Promise<PublishableKey>;
}

/** `foundTtlMs`: how long a revoked key works on. `unknownTtlMs`: how long a new key may be refused that was tried before it existed. */
export function createAuthenticator(o: {
  store: PublishableKeyStore;
  pepper: Uint8Array;
  foundTtlMs: number;
  unknownTtlMs: number;
}): Authenticator {
  const found = new LRUCache<string, PublishableKey>({ max: foundKeysMax, ttl: o.foundTtlMs });
  const unknown = new LRUCache<string, true>({ max: unknownKeysMax, ttl: o.unknownTtlMs });
  const lookups = new Map<string, Promise<PublishableKey | undefined>>();

  const lookUp = async (publishableKey: string): Promise<PublishableKey | undefined> => {
    const key = await o.store.find(keyHash(o.pepper, publishableKey));
    if (key === undefined) unknown.set(publishableKey, true);
    else found.set(publishableKey, key);
    return key;
  };
  /** Requests with one key that come in together share one lookup. */
  const lookUpOnce = (publishableKey: string): Promise<PublishableKey | undefined> => {
    const running = lookups.get(publishableKey);
    if (running !== undefined) return running;
    if (lookups.size >= lookupsInFlightMax)
      return Promise.reject(new AppError("overloaded", "too many keys are being looked up", { work: "not_done" }));
    const lookup = lookUp(publishableKey).finally(() => lookups.delete(publishableKey));
    lookups.set(publishableKey, lookup);
    return lookup;
  };

  return {
    async authenticate(authorization) {
      if (authorization === undefined) throw invalid("api_key_missing", "send your publishable key as Authorization: Bearer pk_…");
      if (holdsSecretKey(authorization)) throw secretKeyShown();
      const presented = parseBearer(authorization);
      if (presented === undefined) throw refused();
      const { publishableKey, mode } = presented;
      if (unknown.get(publishableKey) === true) throw refused();
      const key = found.get(publishableKey) ?? (await lookUpOnce(publishableKey));
      if (key === undefined || key.mode !== mode) throw refused();
      return key;
    },
  };
}

/** One answer for a key that never was, was revoked, or is of another mode. */
function refused(): AppError {
  return invalid("api_key_invalid", "the key is not a publishable key (pk_…) that is known here");
}

/** The same for every secret key, whether it exists or not: nothing is looked up. */
function secretKeyShown(): AppError {
  return invalid(
    "api_key_invalid",
    "this is a secret key (sk_…): cards take the publishable key (pk_…). If a page sent it, everybody has seen it: revoke it now",
  );
}
