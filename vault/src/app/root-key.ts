/**
 * One root key: made and wrapped, unwrapped and proven, and what is derived from it.
 *
 * A check value bound to purpose and epoch stands beside each wrapped key: one that was swapped with another row's, or comes from elsewhere, does
 * not pass it. A merchant's key is derived (HKDF-SHA256, RFC 5869, purpose, epoch and merchant in its info) and stored nowhere, so there is
 * nothing to swap between merchants.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from "node:crypto";
import { AppError, idToHex } from "@florin/kernel";
import type { Hsm, WrappedKey } from "../hsm/port.ts";
import type { KeyPurpose, NewDataKey, StoredDataKey } from "../store/data-keys.ts";

const keyBytes = 32;
const keyCheckBytes = 16;

/** A new root key, wrapped, not yet of any epoch. */
export type FreshRoot = { readonly root: KeyObject; readonly wrapped: WrappedKey };

export async function makeRoot(hsm: Hsm): Promise<FreshRoot> {
  const bytes = await hsm.randomBytes(keyBytes);
  try {
    return { wrapped: await hsm.wrapKey(bytes), root: createSecretKey(bytes) };
  } finally {
    bytes.fill(0);
  }
}

export function toDataKey({ root, wrapped }: FreshRoot, purpose: KeyPurpose, epoch: number): NewDataKey {
  return { purpose, epoch, wrappedKey: wrapped.bytes, kekId: wrapped.kekId, keyCheck: keyCheckOf(root, purpose, epoch) };
}

/** Rejects with AppError: internal when it does not unwrap or is another one's, unavailable when the module is away. */
export async function unwrapRoot(hsm: Hsm, stored: StoredDataKey): Promise<KeyObject> {
  const bytes = await hsm.unwrapKey({ bytes: stored.wrappedKey, kekId: stored.kekId });
  const root = createSecretKey(bytes);
  bytes.fill(0);
  proveRoot(root, stored);
  return root;
}

/** Throws AppError internal when `root` is not the key of this row. */
export function proveRoot(root: KeyObject, { purpose, epoch, keyCheck }: StoredDataKey): void {
  if (!timingSafeEqual(keyCheckOf(root, purpose, epoch), keyCheck))
    throw new AppError("internal", `the data key of ${purpose}, epoch ${epoch}, is another one's`, { work: "not_done" });
}

/** The same key under the KEK that wraps now. */
export async function rewrapRoot(hsm: Hsm, stored: StoredDataKey): Promise<WrappedKey> {
  const root = await unwrapRoot(hsm, stored);
  const bytes = root.export();
  try {
    return await hsm.wrapKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

export function deriveMerchantKey(root: KeyObject, purpose: KeyPurpose, merchantId: string, epoch: number): KeyObject {
  return derive(root, `florin.data-key.1:${purpose}:${epoch}:${idToHex(merchantId)}`);
}

/** The key of the seal over all data keys. `root`: the fingerprint key, which lives as long as the vault. */
export function deriveRingKey(root: KeyObject): KeyObject {
  return derive(root, "florin.key-ring.1");
}

function derive(root: KeyObject, info: string): KeyObject {
  const bytes = Buffer.from(hkdfSync("sha256", root, "", info, keyBytes));
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

function keyCheckOf(root: KeyObject, purpose: KeyPurpose, epoch: number): Buffer {
  return createHmac("sha256", root).update(`florin.key-check.1:${purpose}:${epoch}`).digest().subarray(0, keyCheckBytes);
}
