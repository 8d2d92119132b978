/**
 * From (merchant, token) to its card: well-known test tokens, then a bounded cache of sealed rows, then the database in batches.
 *
 * A row changes only when it is sealed anew under a later epoch, and a cached one opens until its own epoch is destroyed; then it is forgotten. A card that was
 * deleted is forgotten at once where it was deleted, and within two seconds elsewhere (workers/forget-deleted-cards.ts). What was not found is not remembered: its
 * token may be made a moment later, by another process. The cache holds sealed bytes, and beside them the card's own key once it was opened here.
 */
import type { KeyObject } from "node:crypto";
import { type Batcher, createBatcher } from "@florin/runtime/batch";
import { LRUCache } from "lru-cache";
import type { DescribedCard } from "../domain/card.ts";
import { bindingBytes } from "../domain/sealed-card.ts";
import { type WellKnownCard, wellKnownTokens } from "../domain/test-cards.ts";
import { isStoredToken } from "../domain/token.ts";
import { expiresAtMs, type LifeRules } from "../domain/token-life.ts";
import type { CardKey, CardStore, FoundCard, Tombstone } from "../store/cards.ts";
import { cardKeyOf } from "./card-key.ts";

/** A sealed row, ready to be opened and described without more work than needed. */
export type SealedEntry = Omit<FoundCard, "kind" | "usedBy"> & {
  readonly kind: "sealed";
  /** What the seal is bound to. */
  readonly binding: Buffer;
  readonly described: DescribedCard;
  /** The payment that a single-use token belongs to. Set once, by `claimedBy`. */
  readonly usedBy: string | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
};
export type DirectoryEntry = SealedEntry | { readonly kind: "well_known"; readonly card: WellKnownCard } | Tombstone;

export interface CardDirectory {
  /**
   * At once when it is known. Rejects with AppError unavailable or overloaded, not_done. A single-use token that nobody had may have been claimed since, by
   * another process; `isLatest` asks for it again.
   */
  find(merchantId: string, token: string, isLatest?: boolean): DirectoryEntry | undefined | Promise<DirectoryEntry | undefined>;
  /** The next `find` asks the database. */
  forget(merchantId: string, token: string): void;
  forgetAll(): void;
  /** Notes whose a single-use token is, which never changes. */
  claimedBy(entry: SealedEntry, paymentId: string): void;
  /** The card's own key, when it was derived from keys of this version (data-keys.ts). */
  keyOf(entry: SealedEntry, keysVersion: number): KeyObject | undefined;
  /** Derives the card's own key, and keeps it beside the entry. */
  deriveKey(entry: SealedEntry, keysVersion: number, merchantKey: KeyObject): KeyObject;
  close(): Promise<void>;
}

const batchMax = 256;
const queueDepthMax = 8_192;
const batchesInFlightMax = 2;

/** What an entry learns while it is kept. */
type KeptEntry = SealedEntry & {
  usedBy: string | undefined;
  expiresAtMs: number;
  key: KeyObject | undefined;
  keysVersion: number;
};

/** `cardsMax`: rows kept in memory, each about one kilobyte. */
export function createCardDirectory(o: {
  store: Pick<CardStore, "find">;
  cardsMax: number;
  rules: Pick<LifeRules, "graceDays">;
}): CardDirectory {
  const cache = new LRUCache<string, KeptEntry>({ max: o.cardsMax });
  const wellKnown = new Map([...wellKnownTokens].map(([token, card]) => [token, { kind: "well_known", card } as const]));
  const reads: Batcher<CardKey, FoundCard | Tombstone | undefined> = createBatcher({
    name: "read-cards",
    run: async (keys) => (await o.store.find(keys)).map((value) => ({ ok: true, value })),
    batchMax,
    queueDepthMax,
    concurrencyMax: batchesInFlightMax,
  });

  const read = async (name: string, merchantId: string, token: string): Promise<SealedEntry | Tombstone | undefined> => {
    const card = await reads.submit({ merchantId, token });
    if (card?.kind !== "card") return card;
    const entry = toEntry(card, o.rules);
    cache.set(name, entry);
    return entry;
  };

  return {
    find(merchantId, token, isLatest = false) {
      const known = wellKnown.get(token);
      if (known !== undefined) return known;
      const name = merchantId + token;
      const cached = cache.get(name);
      if (cached !== undefined && !(isLatest && cached.usage === "single_use" && cached.usedBy === undefined)) return cached;
      return isStoredToken(token) ? read(name, merchantId, token) : undefined;
    },
    forget: (merchantId, token) => void cache.delete(merchantId + token),
    forgetAll: () => cache.clear(),
    claimedBy(entry: KeptEntry, paymentId) {
      entry.usedBy = paymentId;
      entry.expiresAtMs = expiresAtMs(entry, o.rules);
    },
    keyOf: (entry: KeptEntry, keysVersion) => (entry.keysVersion === keysVersion ? entry.key : undefined),
    deriveKey(entry: KeptEntry, keysVersion, merchantKey) {
      const key = cardKeyOf(merchantKey, entry.share);
      entry.key = key;
      entry.keysVersion = keysVersion;
      return key;
    },
    close: () => reads.close(),
  };
}

function toEntry(card: FoundCard, rules: Pick<LifeRules, "graceDays">): KeptEntry {
  const { token, merchantId, epoch, mode, facts, fingerprint } = card;
  const usage = card.share === undefined ? undefined : card.usage;
  const binding = bindingBytes({ token, merchantId, epoch, mode, expMonth: facts.expMonth, expYear: facts.expYear, usage });
  const described = { ...facts, fingerprint: Buffer.from(fingerprint).toString("hex") };
  return { ...card, kind: "sealed", binding, described, expiresAtMs: expiresAtMs(card, rules), key: undefined, keysVersion: -1 };
}
