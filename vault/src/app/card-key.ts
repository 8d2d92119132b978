/**
 * The key of one card: derived from the merchant's key of an epoch and the card's own share, 256 random bits that are stored apart (HKDF-Expand with one
 * block, RFC 5869 §2.3). Without the share no key of the house opens the card, so deleting the share deletes the card from every backup that has not the share.
 *
 * Cards that were sealed before there were shares have none; their key is the merchant's.
 */
import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { assert } from "@florin/kernel";

/** Bytes of randomness in a share. */
export const keyShareBytes = 32;
const info = "florin.card-key.1";
const firstBlock = Buffer.of(1);

export function cardKeyOf(merchantKey: KeyObject, share: Uint8Array | undefined): KeyObject {
  if (share === undefined) return merchantKey;
  assert(share.length === keyShareBytes, "a key share has 256 bits");
  const bytes = createHmac("sha256", merchantKey).update(info).update(share).update(firstBlock).digest();
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}
