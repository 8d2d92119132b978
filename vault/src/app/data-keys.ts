/**
 * The keys of the house: one root key per epoch for cards, one for fingerprints, and from them a key per merchant.
 *
 * Root keys are stored wrapped, unwrapped by the HSM once per process and proven together (key-ring.ts); merchants' keys are derived from them
 * (root-key.ts). Keys live as key objects, which do not print. No card that is opened waits for the HSM.
 *
 * Nonces: random, 96 bits (NIST SP 800-38D §8.2.2). Seals are counted in the database per epoch, over all merchants and processes, and reserved
 * in blocks before they are used; at 2^31 an epoch ends and the next one begins, and no merchant's key of it was used more often than that.
 * A crash loses the rest of a block, never the count. A database restored from yesterday repeats no nonce: they are random, not counted.
 */
import type { KeyObject } from "node:crypto";
import { AppError, assert } from "@florin/kernel";
import { LRUCache } from "lru-cache";
import type { SealBlock } from "../store/data-keys.ts";
import { addEpoch, fingerprintEpoch, type KeyStores, newestEpochOf, type OpenRing, openRing, readRing } from "./key-ring.ts";
import { deriveMerchantKey } from "./root-key.ts";

/** SP 800-38D allows 2^32 random nonces per key; half of it is the hard stop. */
export const sealsPerEpochMaxDefault = 2 ** 31;
const sealBlockSize = 4_096;
const merchantKeysMax = 20_000;
/** A new epoch lost to another process is tried again with the next number this often. */
const epochTriesMax = 5;

export type SealingKey = { readonly epoch: number; readonly key: KeyObject };

export interface DataKeys {
  /** The merchant's key for one new seal. Counts the seal. Rejects with AppError when the database or the HSM is away and the block is used up. */
  takeSealingKey(merchantId: string): SealingKey | Promise<SealingKey>;
  /** The merchant's key of an epoch, at once when the epoch is known. Rejects with AppError internal when there is no such epoch. */
  openingKey(merchantId: string, epoch: number): KeyObject | Promise<KeyObject>;
  /** The merchant's key for fingerprints; the same for ever. */
  fingerprintKey(merchantId: string): KeyObject;
  /**
   * Reads the ring again: learns epochs that others made, forgets those that were destroyed, seals under the newest. Rejects with AppError when the
   * ring is not as it was left, or a part is away; then everything stays as it was.
   */
  refresh(): Promise<void>;
  /** Seals no more under this epoch: it was retired. */
  leaveEpoch(epoch: number): void;
  /** The epoch that seals now; 0 before the first seal. */
  readonly epoch: number;
  /** Another number whenever a key was destroyed: what was derived from keys under an earlier one is used no more. */
  readonly version: number;
}

type DataKeysOptions = KeyStores & {
  /** How long an epoch seals, ms; it opens for ever. */
  readonly epochLifeMs: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly sealsPerEpochMax?: number;
};

/** Unwraps every key there is; makes the first ones in an empty database. Rejects when one is not as it was left: better no vault than half a one. */
export async function loadDataKeys(o: DataKeysOptions): Promise<DataKeys> {
  return new KeysInMemory(o, await openRing(o));
}

class KeysInMemory implements DataKeys {
  readonly #options: DataKeysOptions;
  #ring: OpenRing;
  readonly #merchantKeys = new LRUCache<string, KeyObject>({ max: merchantKeysMax });
  readonly #fingerprintKeys = new LRUCache<string, KeyObject>({ max: merchantKeysMax });
  #block: (SealBlock & { readonly endsAtMs: number }) | undefined;
  #sealsLeft = 0;
  #version = 0;
  #reserving: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  /** Epoch → how far its count of seals was when we last saw it. */
  readonly #sealsSeen = new Map<number, number>();

  constructor(options: DataKeysOptions, ring: OpenRing) {
    this.#options = options;
    this.#ring = ring;
  }

  get epoch(): number {
    return this.#block?.epoch ?? 0;
  }

  get version(): number {
    return this.#version;
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
    const root = this.#ring.roots.get(epoch);
    if (root === undefined) return this.#loadRoot(epoch).then((loaded) => this.#derive(name, loaded, merchantId, epoch));
    return this.#derive(name, root, merchantId, epoch);
  }

  fingerprintKey(merchantId: string): KeyObject {
    const known = this.#fingerprintKeys.get(merchantId);
    if (known !== undefined) return known;
    const key = deriveMerchantKey(this.#ring.fingerprintRoot, "fingerprint", merchantId, fingerprintEpoch);
    this.#fingerprintKeys.set(merchantId, key);
    return key;
  }

  #derive(name: string, root: KeyObject, merchantId: string, epoch: number): KeyObject {
    const key = deriveMerchantKey(root, "card", merchantId, epoch);
    this.#merchantKeys.set(name, key);
    return key;
  }

  refresh(): Promise<void> {
    this.#refreshing ??= this.#read().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  leaveEpoch(epoch: number): void {
    if (this.#block?.epoch === epoch) this.#block = undefined;
  }

  async #read(): Promise<void> {
    const before = this.#ring;
    this.#ring = await readRing(this.#options, before);
    for (const epoch of before.roots.keys()) if (!this.#ring.roots.has(epoch)) this.#forget(epoch);
    const newest = Math.max(...this.#ring.roots.keys());
    if (this.#block !== undefined && this.#block.epoch < newest) this.#block = undefined;
  }

  /** The key was destroyed: nothing of it stays. */
  #forget(epoch: number): void {
    this.#version += 1;
    for (const name of [...this.#merchantKeys.keys()]) if (name.startsWith(`${epoch}:`)) this.#merchantKeys.delete(name);
  }

  /** Another process made this epoch after we read the ring, or it was destroyed. */
  async #loadRoot(epoch: number): Promise<KeyObject> {
    await this.refresh();
    const root = this.#ring.roots.get(epoch);
    if (root === undefined) throw new AppError("internal", "a card names an epoch without a key", { work: "not_done" });
    return root;
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
      const newest = newestEpochOf((await store.read()).keys);
      const block = await store.reserveSeals({ seals: sealBlockSize, sealsPerEpochMax, lifeMsMax: epochLifeMs });
      if (block !== undefined) {
        this.#noteSeals(block);
        if (!this.#ring.roots.has(block.epoch)) await this.#loadRoot(block.epoch);
        this.#block = { ...block, endsAtMs: now() + block.lifeMs };
        this.#sealsLeft = block.seals;
        return;
      }
      await addEpoch(this.#options, newest + 1, "vault");
    }
    throw new AppError("unavailable", "no data key can be had", { work: "not_done" });
  }

  /** The count bounds how often a key is used with random nonces; one that fell would be used more often than that. */
  #noteSeals({ epoch, seals, sealsReserved }: SealBlock): void {
    if (sealsReserved < (this.#sealsSeen.get(epoch) ?? 0) + seals)
      throw new AppError("internal", `the count of seals of epoch ${epoch} was set back`, { work: "not_done" });
    this.#sealsSeen.set(epoch, sealsReserved);
  }
}
