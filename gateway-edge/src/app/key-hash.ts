/**
 * The keyed hash under which API keys are stored. A database alone, without the pepper, is no use for guessing; 160 random bits need no slow hash.
 */
import { createHmac } from "node:crypto";

/** 32 bytes. */
export function keyHash(pepper: Uint8Array, secretKey: string): Buffer {
  return createHmac("sha256", pepper).update(secretKey).digest();
}
