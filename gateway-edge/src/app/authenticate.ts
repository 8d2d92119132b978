/**
 * From an Authorization header to a proven API key.
 *
 * A proven key is remembered by its public part with a salted digest of the whole key, so the hot path costs one hash and one comparison in
 * constant time; the key itself is not kept. Public parts that do not exist are remembered for a shorter time, in a cache of their own: a
 * flood of guesses cannot push out those that do.
 *
 * Requests that bring the same whole key while it is being looked up share one proof and count as one failure at most: a merchant's burst at
 * a cold start, or when an entry has grown old, is not taken for guessing. Another secret is another proof.
 *
 * Bounds: entries and age of both caches, lookups and proofs under way, failures per address. When the database is away a proven key works on until
 * `staleMsMax`; what was never proven is answered `unavailable`.
 */
import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { AppError, invalid } from "@florin/kernel";
import type { Metrics } from "@florin/runtime/telemetry";
import { LRUCache } from "lru-cache";
import { type ApiKey, type PresentedKey, parseBearer } from "../domain/api-key.ts";
import type { ApiKeyStore, StoredKey } from "../store/api-keys.ts";
import type { FailureLimit } from "./failure-limit.ts";
import { keyHash } from "./key-hash.ts";

export type AuthenticatorOptions = {
  readonly store: ApiKeyStore;
  readonly pepper: Uint8Array;
  readonly failures: FailureLimit;
  readonly metrics: Pick<Metrics, "counter">;
  readonly now: () => number;
  /** How long a found key is used without asking again (ms): the longest time a revoked key still works while the database is there. */
  readonly foundTtlMs: number;
  /** How long an unknown public part is refused without asking (ms). */
  readonly unknownTtlMs: number;
};

export interface Authenticator {
  /**
   * The key behind the header, at once when it is in the cache. Throws or rejects with AppError: api_key_missing, api_key_invalid,
   * rate_limited (too many failures from this address), unavailable, overloaded; nothing was done.
   */
  authenticate(authorization: string | undefined, peer: Peer): ApiKey | Promise<ApiKey>;
  /** The key behind the header when it is proven already. Undefined says nothing: `authenticate` finds out why, and counts. */
  provenKey(authorization: string | undefined): ApiKey | undefined;
}

/** Read only when a key is not proven yet: finding the address costs. */
export type Peer = { readonly ip: string };

const foundKeysMax = 10_000;
const unknownKeysMax = 10_000;
const lookupsInFlightMax = 256;
const proofsInFlightMax = 1_024;
/** Age beyond which a key is not trusted, whatever the database says (15 min). */
const staleMsMax = 900_000;

type Found = {
  readonly apiKey: ApiKey;
  readonly keyHash: Uint8Array;
  /** Salted digest of the whole key, in hex. Empty until it was proven once. */
  digest: Buffer | undefined;
  readonly foundAtMs: number;
};

export function createAuthenticator(o: AuthenticatorOptions): Authenticator {
  const found = new LRUCache<string, Found>({ max: foundKeysMax });
  const unknown = new LRUCache<string, number>({ max: unknownKeysMax });
  const lookups = new Map<string, Promise<Found | undefined>>();
  const proofs = new Map<string, Promise<ApiKey>>();
  const salt = randomBytes(16).toString("hex");
  const digestOf = (secretKey: string): Buffer => Buffer.from(hash("sha256", salt + secretKey, "hex"), "latin1");
  /** No key's. Whoever is refused for another reason is compared with it, so that the time of a refusal does not tell the reason. */
  const decoy = digestOf(salt);
  const counted = {
    cache: o.metrics.counter("edge_api_key_lookups_total", { result: "cache" }),
    database: o.metrics.counter("edge_api_key_lookups_total", { result: "database" }),
    unknown: o.metrics.counter("edge_api_key_lookups_total", { result: "unknown" }),
  };

  /** True when the whole key is the one that was stored. The keyed hash is computed once per entry, not once per request. */
  const proves = (presented: PresentedKey, entry: Found): boolean => {
    const digest = digestOf(presented.secretKey);
    if (presented.mode !== entry.apiKey.mode) {
      timingSafeEqual(digest, decoy);
      return false;
    }
    if (entry.digest !== undefined) return timingSafeEqual(digest, entry.digest);
    if (!timingSafeEqual(keyHash(o.pepper, presented.secretKey), entry.keyHash)) return false;
    entry.digest = digest;
    return true;
  };

  const lookUp = async (keyId: string): Promise<Found | undefined> => {
    const stored = await o.store.find(keyId);
    if (stored === undefined) {
      counted.unknown.add();
      found.delete(keyId);
      unknown.set(keyId, o.now());
      return undefined;
    }
    counted.database.add();
    const entry = foundEntry(keyId, stored, o.now());
    found.set(keyId, entry);
    return entry;
  };

  /** Requests with one key that come in together share one lookup. */
  const lookUpOnce = (keyId: string): Promise<Found | undefined> => {
    const running = lookups.get(keyId);
    if (running !== undefined) return running;
    if (lookups.size >= lookupsInFlightMax)
      return Promise.reject(new AppError("overloaded", "Too many API keys are being looked up.", { work: "not_done" }));
    const lookup = lookUp(keyId).finally(() => lookups.delete(keyId));
    lookups.set(keyId, lookup);
    return lookup;
  };

  const proveByDatabase = async (presented: PresentedKey, peer: Peer): Promise<ApiKey> => {
    const { ip } = peer;
    // Taken before the lookup, given back after a success: guesses in parallel count too.
    o.failures.take(ip);
    try {
      const entry = await lookUpOrStale(presented.keyId);
      if (entry === undefined || !proves(presented, entry)) throw refused();
      o.failures.giveBack(ip);
      return entry.apiKey;
    } catch (thrown) {
      // A database that is away is not the caller's failure.
      if (!(thrown instanceof AppError && thrown.code === "api_key_invalid")) o.failures.giveBack(ip);
      throw thrown;
    }
  };

  /** By the digest of the whole key, so that a guess never rides on another's proof. */
  const proveOnce = (presented: PresentedKey, peer: Peer): Promise<ApiKey> => {
    const digest = digestOf(presented.secretKey).toString("latin1");
    const running = proofs.get(digest);
    if (running !== undefined) return running;
    if (proofs.size >= proofsInFlightMax)
      return Promise.reject(new AppError("overloaded", "Too many API keys are being looked up.", { work: "not_done" }));
    const proof = proveByDatabase(presented, peer).finally(() => proofs.delete(digest));
    proofs.set(digest, proof);
    return proof;
  };

  const lookUpOrStale = async (keyId: string): Promise<Found | undefined> => {
    try {
      return await lookUpOnce(keyId);
    } catch (thrown) {
      const stale = found.get(keyId);
      if (stale !== undefined && o.now() - stale.foundAtMs < staleMsMax) return stale;
      throw thrown;
    }
  };

  const isFresh = (entry: Found | undefined): entry is Found => entry !== undefined && o.now() - entry.foundAtMs < o.foundTtlMs;

  return {
    provenKey(authorization) {
      const presented = authorization === undefined ? undefined : parseBearer(authorization);
      if (presented === undefined) return undefined;
      const entry = found.get(presented.keyId);
      // One comparison whatever is known of the key, so that the time does not tell.
      if (!isFresh(entry) || entry.digest === undefined) {
        timingSafeEqual(digestOf(presented.secretKey), decoy);
        return undefined;
      }
      if (!proves(presented, entry)) return undefined;
      counted.cache.add();
      return entry.apiKey;
    },

    authenticate(authorization, peer) {
      const presented = authorization === undefined ? undefined : parseBearer(authorization);
      if (presented === undefined) {
        o.failures.take(peer.ip);
        throw authorization === undefined ? invalid("api_key_missing", "Send your secret key as Authorization: Bearer sk_….") : refused();
      }
      const entry = found.get(presented.keyId);
      if (isFresh(entry)) {
        if (!proves(presented, entry)) {
          o.failures.take(peer.ip);
          throw refused();
        }
        counted.cache.add();
        return entry.apiKey;
      }
      const unknownSinceMs = unknown.get(presented.keyId);
      if (unknownSinceMs !== undefined && o.now() - unknownSinceMs < o.unknownTtlMs) {
        timingSafeEqual(digestOf(presented.secretKey), decoy);
        o.failures.take(peer.ip);
        throw refused();
      }
      return proveOnce(presented, peer);
    },
  };
}

function foundEntry(keyId: string, stored: StoredKey, nowMs: number): Found {
  const apiKey: ApiKey = { keyId, merchantId: stored.merchantId, mode: stored.mode, actor: `key:${keyId}` };
  return { apiKey, keyHash: stored.keyHash, digest: undefined, foundAtMs: nowMs };
}

/** One answer for a key that never was, was revoked, is of the other world or has a wrong secret. */
function refused(): AppError {
  return invalid("api_key_invalid", "The API key is unknown or revoked.");
}
