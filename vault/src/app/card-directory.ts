/**
 * From (merchant, token) to its card: well-known test tokens, then a bounded cache of sealed rows, then the database in batches.
 *
 * A row changes only when it is sealed anew under a later epoch, and a cached one opens until its own epoch is destroyed; then it is forgotten. What was not found is not remembered: its token may be made a moment later, by another
 * process. The cache holds sealed bytes only; nothing in it can be read without the keys.
 */
import { type Batcher, createBatcher } from "@florin/runtime/batch";
import { LRUCache } from "lru-cache";
import type { DescribedCard } from "../domain/card.ts";
import { bindingBytes } from "../domain/sealed-card.ts";
import { type WellKnownCard, wellKnownTokens } from "../domain/test-cards.ts";
import { isStoredToken } from "../domain/token.ts";
import type { CardKey, CardStore, StoredCard } from "../store/cards.ts";

/** A sealed row, ready to be opened and described without more work than needed. */
export type SealedEntry = StoredCard & {
  readonly kind: "sealed";
  /** What the seal is bound to. */
  readonly binding: Buffer;
  readonly described: DescribedCard;
};
export type DirectoryEntry = SealedEntry | { readonly kind: "well_known"; readonly card: WellKnownCard };

export interface CardDirectory {
  /** At once when it is known. Rejects with AppError unavailable or overloaded, not_done. */
  find(merchantId: string, token: string): DirectoryEntry | undefined | Promise<DirectoryEntry | undefined>;
  /** The next `find` asks the database. */
  forget(merchantId: string, token: string): void;
  close(): Promise<void>;
}

const batchMax = 256;
const queueDepthMax = 8_192;
const batchesInFlightMax = 2;

/** `cardsMax`: rows kept in memory, each about one kilobyte. */
export function createCardDirectory(o: { store: CardStore; cardsMax: number }): CardDirectory {
  const cache = new LRUCache<string, SealedEntry>({ max: o.cardsMax });
  const wellKnown = new Map([...wellKnownTokens].map(([token, card]) => [token, { kind: "well_known", card } as const]));
  const reads: Batcher<CardKey, StoredCard | undefined> = createBatcher({
    name: "read-cards",
    run: async (keys) => (await o.store.find(keys)).map((value) => ({ ok: true, value })),
    batchMax,
    queueDepthMax,
    concurrencyMax: batchesInFlightMax,
  });

  const read = async (name: string, merchantId: string, token: string): Promise<SealedEntry | undefined> => {
    const card = await reads.submit({ merchantId, token });
    if (card === undefined) return undefined;
    const entry = toEntry(card);
    cache.set(name, entry);
    return entry;
  };

  return {
    find(merchantId, token) {
      const known = wellKnown.get(token);
      if (known !== undefined) return known;
      const name = merchantId + token;
      const cached = cache.get(name);
      if (cached !== undefined) return cached;
      return isStoredToken(token) ? read(name, merchantId, token) : undefined;
    },
    forget: (merchantId, token) => void cache.delete(merchantId + token),
    close: () => reads.close(),
  };
}

function toEntry(card: StoredCard): SealedEntry {
  const { token, merchantId, epoch, mode, facts, fingerprint } = card;
  const binding = bindingBytes({ token, merchantId, epoch, mode, expMonth: facts.expMonth, expYear: facts.expYear });
  return { ...card, kind: "sealed", binding, described: { ...facts, fingerprint: Buffer.from(fingerprint).toString("hex") } };
}
