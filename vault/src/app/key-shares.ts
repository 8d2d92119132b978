/**
 * A key in shares: each as long as the key and random, the key is all of them XORed. Who lacks one share knows nothing of the key
 * (PCI DSS 3.6.1.2: full-length shares; 3.7.6: split knowledge). A share carries a check of itself, so that a copying mistake is
 * found by its custodian and not by a key that opens nothing.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { makeSecretBytes } from "@florin/kernel";

const keyBytes = 32;
const sharesMin = 2;
const sharesMax = 8;
const checkHexLength = 8;
const shareText = /^florin-key-share-1 ([0-9a-f]{64}) ([0-9a-f]{8})\s*$/;

/** A new random share, as it stands in its file. */
export function makeShare(): string {
  const share = randomBytes(keyBytes);
  const text = `florin-key-share-1 ${share.toString("hex")} ${checkOf(share)}\n`;
  share.fill(0);
  return text;
}

/** The 32 bytes of a share; the caller wipes them. Throws an Error that names `source` and shows nothing of the share. */
export function readShare(text: string, source: string): Uint8Array {
  const [, hex, check] = shareText.exec(text) ?? [];
  if (hex === undefined || check === undefined) throw new Error(`${source} is no share of a key`);
  const share = makeSecretBytes(keyBytes);
  for (let index = 0; index < keyBytes; index++) share[index] = Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  if (!timingSafeEqual(Buffer.from(checkOf(share)), Buffer.from(check))) {
    share.fill(0);
    throw new Error(`${source} is damaged: its check does not fit`);
  }
  return share;
}

/** The key of these shares, in any order; the caller wipes it. The shares are wiped here. Throws an Error for fewer than two, and for one that comes twice. */
export function combineShares(shares: readonly Uint8Array[]): Uint8Array {
  const key = makeSecretBytes(keyBytes);
  try {
    if (shares.length < sharesMin || shares.length > sharesMax) throw new Error(`a key has ${sharesMin} to ${sharesMax} shares`);
    // Two that are equal cancel each other out: the key would be that of the others alone.
    if (new Set(shares.map((share) => checkOf(share))).size < shares.length) throw new Error("a share was given twice");
    for (const share of shares) for (let index = 0; index < keyBytes; index++) key[index] = (key[index] ?? 0) ^ (share[index] ?? 0);
    return key;
  } finally {
    for (const share of shares) share.fill(0);
  }
}

function checkOf(share: Uint8Array): string {
  return createHmac("sha256", share).update("florin.key-share.1").digest("hex").slice(0, checkHexLength);
}
