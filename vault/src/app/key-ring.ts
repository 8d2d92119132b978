/**
 * All data keys as one thing, proven as one thing.
 *
 * Invariants
 * - every key unwraps and is that of its row (root-key.ts);
 * - the seal over all rows is right: no row was changed, swapped, set back, added or removed by anybody who cannot ask the module;
 * - the ring's generation is not below the one that the module remembers: the database as a whole was not set back;
 * - every change is one transaction, raises the generation by one and tells the module afterwards. A crash between the two leaves the module behind the
 *   database, never before it, and the next reader mends that.
 *
 * A release before the seal adds keys without it. They are accepted when their epoch follows on the sealed ones, because only who can ask the module can
 * have made them, and come under the seal with the next change.
 */
import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import { AppError } from "@florin/kernel";
import type { Hsm } from "../hsm/port.ts";
import type { DataKeyStore, RingSeal, RingWriter, StoredDataKey, StoredRing } from "../store/data-keys.ts";
import { deriveRingKey, makeRoot, proveRoot, toDataKey, unwrapRoot } from "./root-key.ts";

export const fingerprintEpoch = 1;
const firstGeneration = 1;

export type KeyStores = { readonly hsm: Hsm; readonly store: DataKeyStore };

/** Keys of the ring, unwrapped. */
export type OpenRing = {
  readonly generation: number;
  readonly fingerprintRoot: KeyObject;
  /** Epoch → root key of cards. */
  readonly roots: ReadonlyMap<number, KeyObject>;
};

/** Opens the ring, and makes one in an empty database. Rejects with AppError: internal when it is not as it was left, unavailable when a part is away. */
export async function openRing(o: KeyStores): Promise<OpenRing> {
  await makeFirst(o);
  return readRing(o);
}

/** Reads what is there. `known`: keys that this process unwrapped before are proven again without asking the module for them. */
export async function readRing({ hsm, store }: KeyStores, known?: OpenRing): Promise<OpenRing> {
  // Before the database: a change that comes between the two must not look like a ring that was set back.
  const remembered = await hsm.readGeneration();
  const stored = await store.read();
  const fingerprintRoot = await rootOf(hsm, fingerprintKeyOf(stored), known?.fingerprintRoot);
  proveRing(stored, fingerprintRoot, remembered);
  const roots = new Map<number, KeyObject>();
  for (const key of stored.keys) if (key.purpose === "card") roots.set(key.epoch, await rootOf(hsm, key, known?.roots.get(key.epoch)));
  const generation = generationOf(stored);
  if (generation > remembered) await hsm.raiseGeneration(generation);
  return { generation, fingerprintRoot, roots };
}

/**
 * Changes the ring: proves it, lets `work` write, seals what came of it. `work` answers undefined when there is nothing to change after all.
 * `isRestored`: a ring that was set back is accepted; its seal must be right all the same.
 */
export async function changeRing<T>(
  { hsm, store }: KeyStores,
  work: (ring: StoredRing, writer: RingWriter) => Promise<T | undefined>,
  o: { isRestored?: boolean } = {},
): Promise<T | undefined> {
  const remembered = await hsm.readGeneration();
  const done = await store.change(async (writer) => {
    const before = await writer.read();
    const fingerprintRoot = await unwrapRoot(hsm, fingerprintKeyOf(before));
    proveRing(before, fingerprintRoot, o.isRestored === true ? 0 : remembered);
    const answer = await work(before, writer);
    if (answer === undefined) return undefined;
    const generation = Math.max(generationOf(before), o.isRestored === true ? remembered : 0) + 1;
    await sign(writer, fingerprintRoot, generation);
    return { answer, generation };
  });
  if (done === undefined) return undefined;
  await hsm.raiseGeneration(done.generation);
  return done.answer;
}

/** Adds the epoch `epoch` of card keys; nothing when another process was faster. */
export async function addEpoch(o: KeyStores, epoch: number, actor: string): Promise<void> {
  const fresh = await makeRoot(o.hsm);
  await changeRing(o, async ({ keys }, writer) => {
    if (newestEpochOf(keys) >= epoch) return undefined;
    const key = toDataKey(fresh, "card", epoch);
    await writer.add(key);
    await writer.record({ action: "created", actor, purpose: "card", epoch, kekId: key.kekId });
    return true;
  });
}

/** 0 when there is none. */
export function newestEpochOf(keys: readonly StoredDataKey[]): number {
  return keys.reduce((newest, { purpose, epoch }) => (purpose === "card" ? Math.max(newest, epoch) : newest), 0);
}

/** The fingerprint key in an empty database, and the first seal over keys of a release before it. */
async function makeFirst({ hsm, store }: KeyStores): Promise<void> {
  if ((await store.read()).seal !== undefined) return;
  const remembered = await hsm.readGeneration();
  const fresh = await makeRoot(hsm);
  await store.change(async (writer) => {
    const before = await writer.read();
    if (before.seal !== undefined) return;
    if (remembered > 0) throw setBack(0, remembered);
    if (before.keys.length === 0) {
      const key = toDataKey(fresh, "fingerprint", fingerprintEpoch);
      await writer.add(key);
      await writer.record({ action: "created", actor: "vault", purpose: "fingerprint", epoch: fingerprintEpoch, kekId: key.kekId });
      await sign(writer, fresh.root, firstGeneration);
    } else await sign(writer, await unwrapRoot(hsm, fingerprintKeyOf(before)), firstGeneration);
  });
}

async function sign(writer: RingWriter, fingerprintRoot: KeyObject, generation: number): Promise<void> {
  const { keys } = await writer.read();
  const coveredEpoch = newestEpochOf(keys);
  await writer.sign({ generation, coveredEpoch, seal: sealOf(fingerprintRoot, { generation, coveredEpoch }, keys) });
}

function proveRing({ keys, seal }: StoredRing, fingerprintRoot: KeyObject, remembered: number): void {
  const generation = seal?.generation ?? 0;
  if (generation < remembered) throw setBack(generation, remembered);
  if (seal === undefined) return;
  if (seal.seal.length !== 32 || !timingSafeEqual(sealOf(fingerprintRoot, seal, keys), seal.seal))
    throw new AppError("internal", "the data keys are not as they were left: a row was changed, set back, added or removed", {
      work: "not_done",
    });
}

function sealOf(fingerprintRoot: KeyObject, ring: Omit<RingSeal, "seal">, keys: readonly StoredDataKey[]): Buffer {
  const seal = createHmac("sha256", deriveRingKey(fingerprintRoot)).update(`florin.key-ring.1:${ring.generation}:${ring.coveredEpoch}\n`);
  for (const key of keys) {
    if (key.purpose === "card" && key.epoch > ring.coveredEpoch) continue;
    const [wrapped, check] = [key.wrappedKey, key.keyCheck].map((bytes) => Buffer.from(bytes).toString("hex"));
    seal.update(`${key.purpose}:${key.epoch}:${key.kekId}:${wrapped}:${check}:${key.createdAt}:${key.retiredAt ?? "-"}\n`);
  }
  return seal.digest();
}

async function rootOf(hsm: Hsm, key: StoredDataKey, known: KeyObject | undefined): Promise<KeyObject> {
  if (known === undefined) return unwrapRoot(hsm, key);
  proveRoot(known, key);
  return known;
}

function fingerprintKeyOf({ keys }: StoredRing): StoredDataKey {
  const key = keys.find(({ purpose }) => purpose === "fingerprint");
  if (key === undefined) throw new AppError("internal", "the fingerprint key is gone", { work: "not_done" });
  return key;
}

function generationOf({ seal }: StoredRing): number {
  return seal?.generation ?? 0;
}

function setBack(generation: number, remembered: number): AppError {
  return new AppError(
    "internal",
    `the data keys were set back: their generation is ${generation}, and the module remembers ${remembered}. See docs/operations/key-rotation.md`,
    { work: "not_done" },
  );
}
