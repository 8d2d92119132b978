/**
 * The keyed hash under which publishable keys are stored: who reads the database learns no key that works.
 */
import { createHmac } from "node:crypto";

/** 32 bytes. */
export function keyHash(pepper: Uint8Array, publishableKey: string): Buffer {
  return createHmac("sha256", pepper).update(publishableKey).digest();
}
