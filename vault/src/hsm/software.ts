/**
 * A stand-in for a hardware security module: the key-encryption key is in this process's memory.
 *
 * For the sandbox only; it refuses to be made in production. The key comes as a Secret, becomes a key object, and the Secret is wiped.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { AppError, assert, type Secret } from "@florin/kernel";
import type { Hsm, WrappedKey } from "./port.ts";

const random = promisify(randomBytes);

const keyBytes = 32;
const wrappedBytes = 40;
const algorithm = "id-aes256-wrap";
/** RFC 3394 §2.2.3.1. */
const initialValue = Buffer.alloc(8, 0xa6);
const kekIdLength = 16;

/** `kek`: 32 bytes; wiped here. Throws an Error in production: a key in memory is no module. */
export function createSoftwareHsm(o: { kek: Secret; environment: "sandbox" | "production" }): Hsm {
  if (o.environment === "production")
    throw new Error("the software key store is refused in production: configure a hardware security module");
  assert(o.kek.expose().length === keyBytes, "a key-encryption key has 32 bytes");
  const kek = createSecretKey(o.kek.expose());
  o.kek.wipe();
  const kekId = `software:${nameOf(kek)}`;
  return {
    kekId,
    async wrapKey(key) {
      assert(key.length === keyBytes, "a data key has 32 bytes");
      const cipher = createCipheriv(algorithm, kek, initialValue);
      return { bytes: Buffer.concat([cipher.update(key), cipher.final()]), kekId };
    },
    async unwrapKey(wrapped) {
      if (wrapped.kekId !== kekId) throw unusable("was wrapped by another key-encryption key");
      return unwrap(kek, wrapped);
    },
    randomBytes: (length) => random(length),
    async close() {},
  };
}

function unwrap(kek: KeyObject, wrapped: WrappedKey): Buffer {
  if (wrapped.bytes.length !== wrappedBytes) throw unusable("has the wrong length");
  try {
    const decipher = createDecipheriv(algorithm, kek, initialValue);
    return Buffer.concat([decipher.update(wrapped.bytes), decipher.final()]);
  } catch {
    // What the cipher says about a key stays here.
    throw unusable("does not unwrap");
  }
}

function unusable(why: string): AppError {
  return new AppError("internal", `a data key is unusable: it ${why}`, { work: "not_done" });
}

/** Tells key-encryption keys apart without telling anything about them. */
function nameOf(kek: KeyObject): string {
  return createHmac("sha256", kek).update("florin.kek.1").digest("hex").slice(0, kekIdLength);
}
