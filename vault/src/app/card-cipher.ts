/**
 * Seals and opens cards: AES-256-GCM under the merchant's key of an epoch, bound to what the row says about the card (domain/sealed-card.ts).
 *
 * Sealed bytes are nonce (12), ciphertext, tag (16). A seal that does not open is a fault of storage or an attack, never a business answer.
 */
import { createCipheriv, createDecipheriv, createHmac, type KeyObject, randomFillSync } from "node:crypto";
import { AppError } from "@florin/kernel";

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;
const options = { authTagLength: tagBytes } as const;
export const fingerprintBytes = 16;

/** Nonces are drawn from the generator many at a time: one call costs as much as one nonce. Used once, then overwritten. */
const noncePool = Buffer.alloc(nonceBytes * 256);
let noncePoolUsed = noncePool.length;

/** A fresh random nonce is drawn here and nowhere else: no caller can bring its own. Does not wipe `plain`. */
export function seal(key: KeyObject, binding: Uint8Array, plain: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafeSlow(nonceBytes + plain.length + tagBytes);
  const nonce = sealed.subarray(0, nonceBytes);
  drawNonce(nonce);
  const cipher = createCipheriv(algorithm, key, nonce, options);
  cipher.setAAD(binding);
  cipher.update(plain).copy(sealed, nonceBytes);
  cipher.final();
  cipher.getAuthTag().copy(sealed, nonceBytes + plain.length);
  return sealed;
}

/** The plain bytes. Throws AppError internal (not_done) when key, binding or bytes are not those of the seal. */
export function open(key: KeyObject, binding: Uint8Array, sealed: Buffer): Buffer {
  const end = sealed.length - tagBytes;
  if (end < nonceBytes) throw unreadable();
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes), options);
  decipher.setAAD(binding);
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(nonceBytes, end));
  try {
    decipher.final();
  } catch {
    // Unproven bytes must not be seen by anybody.
    plain.fill(0);
    throw unreadable();
  }
  return plain;
}

/** 16 bytes that are the same for the same number under the same key. HMAC-SHA256 over the whole number (PCI DSS 3.5.1.1), cut to 128 bits. */
export function fingerprintOf(key: KeyObject, number: Uint8Array): Buffer {
  return createHmac("sha256", key).update(number).digest().subarray(0, fingerprintBytes);
}

function drawNonce(target: Buffer): void {
  if (noncePoolUsed === noncePool.length) {
    randomFillSync(noncePool);
    noncePoolUsed = 0;
  }
  noncePool.copy(target, 0, noncePoolUsed, noncePoolUsed + nonceBytes);
  noncePool.fill(0, noncePoolUsed, noncePoolUsed + nonceBytes);
  noncePoolUsed += nonceBytes;
}

function unreadable(): AppError {
  return new AppError("internal", "a sealed card does not open", { work: "not_done" });
}
