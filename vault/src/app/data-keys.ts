/**
 * The keys of the house: one root key per epoch for cards, one for fingerprints, and from them a key per merchant.
 *
 * Root keys are stored wrapped and unwrapped by the HSM once per process. A merchant's key is derived (HKDF-SHA256, RFC 5869, merchant and
 * epoch in its info), so there is nothing to store per merchant and nothing to swap between merchants. Keys live as key objects, which do not print.
 *
 * Nonces: random, 96 bits (NIST SP 800-38D §8.2.2). Seals are counted in the database per epoch, over all merchants and processes, and reserved
 * in blocks before they are used; at 2^31 an epoch ends and the next one begins, and no merchant's key of it was used more often than that.
 * A crash loses the rest of a block, never the count. A database restored from yesterday repeats no nonce: they are random, not counted.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from "node:crypto";
import { AppError, assert, idToHex } from "@florin/kernel";
import { LRUCache } from "lru-cache";
import type { Hsm } from "../hsm/port.ts";
import type { DataKeyStore, KeyPurpose, SealBlock, StoredDataKey } from "../store/data-keys.ts";

/** SP 800-38D allows 2^32 random nonces per key; half of it is the hard stop. */
export const sealsPerEpochMaxDefault = 2 ** 31;
const sealBlockSize = 4_096;
const merchantKeysMax = 20_000;
/** A new epoch lost to another process is tried again with the next number this often. */
const epochTriesMax = 5;
const keyBytes = 32;
const keyCheckBytes = 16;
const fingerprintEpoch = 1;

export type SealingKey = { readonly epoch: number; readonly key: KeyObject };

export interface DataKeys {
  /** The merchant's key for one new seal. Counts the seal. Rejects with AppError when the database or the HSM is away and the block is used up. */
  takeSealingKey(merchantId: string): SealingKey | Promise<SealingKey>;
  /** The merchant's key of an epoch, at once when the epoch is known. Rejects with AppError internal when there is no such epoch. */
  openingKey(merchantId: string, epoch: number): KeyObject | Promise<KeyObject>;
  /** The merchant's key for fingerprints; the same for ever. */
  fingerprintKey(merchantId: string): KeyObject;
  /** The epoch that seals now; 0 before the first seal. */
  readonly epoch: number;
}

type DataKeysOptions = {
  readonly hsm: Hsm;
  readonly store: DataKeyStore;
  /** How long an epoch seals, ms; it opens for ever. */
  readonly epochLifeMs: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly sealsPerEpochMax?: number;
};

/** Unwraps every key there is; makes the first ones in an empty database. Rejects when one does not unwrap: better no vault than half a one. */
export async function loadDataKeys(o: DataKeysOptions): Promise<DataKeys> {
  const stored = await o.store.list("card");
  const fingerprints = await o.store.list("fingerprint");
  const fingerprint = fingerprints[0] ?? (await addKey(o, "fingerprint", fingerprintEpoch));
  const roots = new Map<number, KeyObject>();
  for (const key of stored) roots.set(key.epoch, await unwrapRoot(o.hsm, key));
  return new KeyRing(o, roots, await unwrapRoot(o.hsm, fingerprint));
}

class KeyRing implements DataKeys {
  readonly #options: DataKeysOptions;
  readonly #roots: Map<number, KeyObject>;
  readonly #fingerprintRoot: KeyObject;
  readonly #merchantKeys = new LRUCache<string, KeyObject>({ max: merchantKeysMax });
  readonly #fingerprintKeys = new LRUCache<string, KeyObject>({ max: merchantKeysMax });
  readonly #loading = new Map<number, Promise<KeyObject>>();
  #block: (SealBlock & { readonly endsAtMs: number }) | undefined;
  #sealsLeft = 0;
  #reserving: Promise<void> | undefined;

  constructor(options: DataKeysOptions, roots: Map<number, KeyObject>, fingerprintRoot: KeyObject) {
    this.#options = options;
    this.#roots = roots;
    this.#fingerprintRoot = fingerprintRoot;
  }

  get epoch(): number {
    return this.#block?.epoch ?? 0;
  }

  takeSealingKey(merchantId: string): SealingKey | Promise<SealingKey> {
    const block = this.#block;
    if (block === undefined || this.#sealsLeft === 0 || this.#options.now() >= block.endsAtMs) return this.#takeFromNextBlock(merchantId);
    this.#sealsLeft -= 1;
    const { epoch } = block;
    const key = this.openingKey(merchantId, epoch);
    return key instanceof Promise ? key.then((ready) => ({ epoch, key: ready })) : { epoch, key };
  }

  openingKey(merchantId: string, epoch: number): KeyObject | Promise<KeyObject> {
    const name = `${epoch}:${merchantId}`;
    const known = this.#merchantKeys.get(name);
    if (known !== undefined) return known;
    const root = this.#roots.get(epoch);
    if (root === undefined) return this.#loadRoot(epoch).then((loaded) => this.#derive(name, loaded, merchantId, epoch));
    return this.#derive(name, root, merchantId, epoch);
  }

  fingerprintKey(merchantId: string): KeyObject {
    const known = this.#fingerprintKeys.get(merchantId);
    if (known !== undefined) return known;
    const key = deriveKey(this.#fingerprintRoot, "fingerprint", merchantId, fingerprintEpoch);
    this.#fingerprintKeys.set(merchantId, key);
    return key;
  }

  #derive(name: string, root: KeyObject, merchantId: string, epoch: number): KeyObject {
    const key = deriveKey(root, "card", merchantId, epoch);
    this.#merchantKeys.set(name, key);
    return key;
  }

  /** Another process made this epoch after we started. Callers of one epoch share the question. */
  #loadRoot(epoch: number): Promise<KeyObject> {
    const running = this.#loading.get(epoch);
    if (running !== undefined) return running;
    const loading = (async () => {
      const [stored] = await this.#options.store.list("card", epoch);
      if (stored === undefined) throw new AppError("internal", "a card names an epoch without a key", { work: "not_done" });
      const root = await unwrapRoot(this.#options.hsm, stored);
      this.#roots.set(epoch, root);
      return root;
    })().finally(() => this.#loading.delete(epoch));
    this.#loading.set(epoch, loading);
    return loading;
  }

  async #takeFromNextBlock(merchantId: string): Promise<SealingKey> {
    this.#reserving ??= this.#reserve().finally(() => {
      this.#reserving = undefined;
    });
    await this.#reserving;
    // Whoever waited longest is served first; a block is far larger than what may wait.
    return this.takeSealingKey(merchantId);
  }

  async #reserve(): Promise<void> {
    const { store, epochLifeMs, now, sealsPerEpochMax = sealsPerEpochMaxDefault } = this.#options;
    assert(
      sealsPerEpochMax >= sealBlockSize && sealsPerEpochMax <= sealsPerEpochMaxDefault,
      "an epoch has at least one block and at most 2^31 seals",
    );
    for (let tries = 0; tries < epochTriesMax; tries++) {
      // Read first: an epoch that another process makes after this question has the number that we would give ours, and there is one only.
      const newest = (await store.list("card")).at(-1);
      const block = await store.reserveSeals({ seals: sealBlockSize, sealsPerEpochMax, lifeMsMax: epochLifeMs });
      if (block !== undefined) {
        if (!this.#roots.has(block.epoch)) await this.#loadRoot(block.epoch);
        this.#block = { ...block, endsAtMs: now() + block.lifeMs };
        this.#sealsLeft = block.seals;
        return;
      }
      await addKey(this.#options, "card", (newest?.epoch ?? 0) + 1);
    }
    throw new AppError("unavailable", "no data key can be had", { work: "not_done" });
  }
}

/** Adds a new root key; when another process was faster, that one's. */
async function addKey(o: Pick<DataKeysOptions, "hsm" | "store">, purpose: KeyPurpose, epoch: number): Promise<StoredDataKey> {
  const bytes = await o.hsm.randomBytes(keyBytes);
  try {
    const wrapped = await o.hsm.wrapKey(bytes);
    const check = keyCheckOf(createSecretKey(bytes), purpose, epoch);
    const made = { purpose, epoch, wrappedKey: wrapped.bytes, keyCheck: check, kekId: wrapped.kekId };
    if (await o.store.add(made)) return made;
  } finally {
    bytes.fill(0);
  }
  const [stored] = await o.store.list(purpose, epoch);
  if (stored === undefined) throw new AppError("internal", "a data key was there and is gone", { work: "not_done" });
  return stored;
}

async function unwrapRoot(hsm: Hsm, { wrappedKey, kekId, keyCheck, purpose, epoch }: StoredDataKey): Promise<KeyObject> {
  const bytes = await hsm.unwrapKey({ bytes: wrappedKey, kekId });
  const root = createSecretKey(bytes);
  bytes.fill(0);
  if (!timingSafeEqual(keyCheckOf(root, purpose, epoch), keyCheck))
    throw new AppError("internal", `the data key of ${purpose}, epoch ${epoch}, is another one's`, { work: "not_done" });
  return root;
}

function keyCheckOf(root: KeyObject, purpose: KeyPurpose, epoch: number): Buffer {
  return createHmac("sha256", root).update(`florin.key-check.1:${purpose}:${epoch}`).digest().subarray(0, keyCheckBytes);
}

function deriveKey(root: KeyObject, purpose: KeyPurpose, merchantId: string, epoch: number): KeyObject {
  const info = `florin.data-key.1:${purpose}:${epoch}:${idToHex(merchantId)}`;
  const bytes = Buffer.from(hkdfSync("sha256", root, "", info, keyBytes));
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}
