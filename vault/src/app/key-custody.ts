/**
 * What custodians do with data keys: look, rotate, rewrap, retire, seal cards anew, destroy. While the vault is serving; every step can be repeated and
 * goes on where it was left.
 *
 * Order of a data key's life: it seals → a newer epoch seals → retired (opens only) → its cards are sealed anew → destroyed. No step can be taken before the
 * one in front of it. What cannot be undone, and what lets a database that was set back in, needs two people by name.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "@florin/kernel";
import { bindingBytes } from "../domain/sealed-card.ts";
import { isEpochRetired } from "../store/cards.ts";
import type { KeyEvent, StoredDataKey } from "../store/data-keys.ts";
import type { EnvelopeStore } from "../store/envelopes.ts";
import type { KeyInventory } from "../store/key-inventory.ts";
import type { ResealedRow, ResealPlace, ResealStore, SealedRow } from "../store/reseal-cards.ts";
import { open, seal } from "./card-cipher.ts";
import { cardKeyOf, keyShareBytes } from "./card-key.ts";
import type { DataKeys } from "./data-keys.ts";
import { addEpoch, changeRing, type KeyStores, newestEpochOf } from "./key-ring.ts";
import { rewrapRoot } from "./root-key.ts";

/** Who did it; `witness` is the second person. */
export type People = { readonly by: string; readonly witness?: string | undefined };

const rewrapBatch = 16;
const rewrapBatchesMax = 10_000;
const resealRows = 512;

/** Begins the next epoch now. Processes seal under it when they next read the ring, or have used up their block. */
export async function rotateDataKey(o: KeyStores, { by }: People): Promise<{ epoch: number }> {
  const epoch = newestEpochOf((await o.store.read()).keys) + 1;
  await addEpoch(o, epoch, by);
  return { epoch };
}

/** Wraps every data key that another KEK wrapped under the one that wraps now, `rewrapBatch` keys to a transaction. */
export async function rewrapDataKeys(o: KeyStores, { by }: People): Promise<{ rewrapped: number }> {
  let rewrapped = 0;
  for (let batch = 0; batch < rewrapBatchesMax; batch++) {
    const done = await changeRing(o, async ({ keys }, writer) => {
      const old = keys.filter(({ kekId }) => kekId !== o.hsm.kekId).slice(0, rewrapBatch);
      for (const key of old) {
        const { purpose, epoch } = key;
        const { bytes, kekId } = await rewrapRoot(o.hsm, key);
        await writer.rewrap({ purpose, epoch, wrappedKey: bytes, kekId });
        await writer.record({ action: "rewrapped", actor: by, purpose, epoch, kekId });
      }
      return old.length === 0 ? undefined : old.length;
    });
    if (done === undefined) return { rewrapped };
    rewrapped += done;
  }
  throw new AppError("internal", "there are more data keys than a rotation is made for", { work: "not_done" });
}

/** Wraps every envelope key that another KEK wrapped under the one that wraps now; those that are deleted meanwhile, for their age, are none of them. */
export async function rewrapEnvelopeKeys(
  o: { hsm: KeyStores["hsm"]; envelopes: Pick<EnvelopeStore, "listKeys" | "rewrapKey">; record: (event: KeyEvent) => Promise<void> },
  { by }: People,
): Promise<{ rewrapped: number }> {
  let rewrapped = 0;
  for (const stored of await o.envelopes.listKeys()) {
    if (stored.kekId === o.hsm.kekId) continue;
    const scalar = await o.hsm.unwrapKey({ bytes: stored.wrappedKey, kekId: stored.kekId });
    const wrapped = await o.hsm.wrapKey(scalar).finally(() => scalar.fill(0));
    if (await o.envelopes.rewrapKey({ ...stored, wrappedKey: wrapped.bytes, kekId: wrapped.kekId }, stored)) rewrapped += 1;
  }
  if (rewrapped > 0) await o.record({ action: "rewrapped", actor: by, kekId: o.hsm.kekId });
  return { rewrapped };
}

/** The key seals no card from here on; also none that is on its way. Refuses the newest: begin another epoch first. Safe to repeat. */
export async function retireDataKey(o: KeyStores, epoch: number, { by }: People): Promise<void> {
  await changeRing(o, async ({ keys }, writer) => {
    const key = epochKeyOf(keys, epoch);
    if (epoch === newestEpochOf(keys)) throw refused(`epoch ${epoch} is the newest: rotate first`);
    if (key.retiredAt !== undefined) return undefined;
    await writer.retire(epoch);
    await writer.record({ action: "retired", actor: by, purpose: "card", epoch, kekId: key.kekId });
    return true;
  });
}

/**
 * Seals every card of a retired epoch anew under the newest one, `resealRows` rows at a time and at most `rowsPerSecondMax` a second, beside a vault that
 * serves. Cards that are opened meanwhile open before and after. Safe to interrupt and to repeat.
 */
export async function resealCards(
  o: KeyStores & { dataKeys: DataKeys; cards: ResealStore; rowsPerSecondMax: number; record: (event: KeyEvent) => Promise<void> },
  { by }: People,
): Promise<{ resealed: number; read: number }> {
  const retired = new Set(
    (await o.store.read()).keys.flatMap(({ purpose, epoch, retiredAt }) => (purpose === "card" && retiredAt !== undefined ? [epoch] : [])),
  );
  let [read, resealed] = [0, 0];
  for (let place: ResealPlace | undefined; ; ) {
    const startedAtMs = performance.now();
    const rows = await o.cards.next(place, resealRows);
    const old = rows.filter(({ epoch }) => retired.has(epoch));
    if (old.length > 0) resealed += await resealBatch(o, old);
    read += rows.length;
    place = rows.at(-1);
    if (rows.length < resealRows) break;
    await sleep(Math.max(0, (rows.length / o.rowsPerSecondMax) * 1_000 - (performance.now() - startedAtMs)));
  }
  if (resealed > 0) await o.record({ action: "resealed", actor: by, purpose: "card", epoch: o.dataKeys.epoch, cards: resealed });
  return { resealed, read };
}

async function resealBatch(o: { dataKeys: DataKeys; cards: ResealStore }, rows: readonly SealedRow[]): Promise<number> {
  const resealed = await Promise.all(rows.map((row) => resealCard(o.dataKeys, row)));
  try {
    return await o.cards.replace(resealed);
  } catch (thrown) {
    // Somebody rotated and retired what was the newest key a moment ago.
    if (!isEpochRetired(thrown)) throw thrown;
    o.dataKeys.leaveEpoch(o.dataKeys.epoch);
    return o.cards.replace(await Promise.all(rows.map((row) => resealCard(o.dataKeys, row))));
  }
}

async function resealCard(keys: DataKeys, row: SealedRow): Promise<ResealedRow> {
  const { merchantId, token } = row;
  const old = { ...row, usage: row.share === undefined ? undefined : row.usage };
  const plain = open(cardKeyOf(await keys.openingKey(merchantId, row.epoch), row.share), bindingBytes(old), row.sealed);
  try {
    const { epoch, key } = await keys.takeSealingKey(merchantId);
    // The same share: its other half is another one now, and shares that were saved before this open the card after it.
    const share = row.share ?? randomBytes(keyShareBytes);
    const sealed = seal(cardKeyOf(key, share), bindingBytes({ ...row, epoch }), plain);
    return { merchantId, token, sealed, share, fromEpoch: row.epoch, toEpoch: epoch };
  } finally {
    plain.fill(0);
  }
}

/** Destroys a retired key that no card needs. What it sealed stays closed for ever, in every backup as well, once the KEK that wrapped it is destroyed too. */
export async function destroyDataKey(o: KeyStores & { cards: ResealStore }, epoch: number, people: People): Promise<void> {
  const { by, witness } = mustBeTwo(people);
  const stored = epochKeyOf((await o.store.read()).keys, epoch);
  if (stored.retiredAt === undefined) throw refused(`epoch ${epoch} is not retired`);
  // After its retirement there can be no new ones, so this question may take its time.
  if ((await o.cards.count(epoch, 1)) > 0) throw refused(`cards are sealed under epoch ${epoch}: seal them anew first`);
  await changeRing(o, async ({ keys }, writer) => {
    const { retiredAt, kekId } = epochKeyOf(keys, epoch);
    if (retiredAt === undefined) throw refused(`epoch ${epoch} is not retired`);
    await writer.destroy(epoch);
    await writer.record({ action: "destroyed", actor: by, witness, purpose: "card", epoch, kekId });
    return true;
  });
}

/**
 * Accepts a database that was set back, after a restore that could not be had any newer. Its seal must be right all the same. A new epoch begins, because
 * the count of seals was set back too.
 */
export async function acceptRestore(o: KeyStores, people: People): Promise<{ epoch: number }> {
  const { by, witness } = mustBeTwo(people);
  await changeRing(
    o,
    async (_ring, writer) => {
      await writer.record({ action: "restore_accepted", actor: by, witness });
      return true;
    },
    { isRestored: true },
  );
  return rotateDataKey(o, { by });
}

/** Refuses while a data key or an envelope key is still wrapped by the KEK `kekId`. */
export function mustBeUnused(inventory: KeyInventory, kekId: string): void {
  const [dataKeys, envelopeKeys] = [inventory.keys, inventory.envelopeKeys].map((keys) => keys.filter((key) => key.kekId === kekId).length);
  if (dataKeys === 0 && envelopeKeys === 0) return;
  throw refused(`${dataKeys} data keys are wrapped by it, and ${envelopeKeys} envelope keys: rewrap them first`);
}

/** Throws AppError parameter_invalid unless there are two names, and not the same one twice. */
export function mustBeTwo({ by, witness }: People): { by: string; witness: string } {
  if (witness === undefined || witness.trim().toLowerCase() === by.trim().toLowerCase())
    throw refused("this needs two people: --by one --witness another");
  return { by, witness };
}

function epochKeyOf(keys: readonly StoredDataKey[], epoch: number): StoredDataKey {
  const key = keys.find((one) => one.purpose === "card" && one.epoch === epoch);
  if (key === undefined) throw refused(`there is no epoch ${epoch}`);
  return key;
}

function refused(why: string): AppError {
  return new AppError("parameter_invalid", why, { work: "not_done" });
}
