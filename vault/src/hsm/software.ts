/**
 * A stand-in for a hardware security module: the key-encryption key is in this process's memory.
 *
 * For the sandbox only; it refuses to be made in production. Keys come as Secrets, become key objects, and the Secrets are wiped. During
 * a rotation it holds a second key that unwraps only.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { assert, type Secret } from "@florin/kernel";
import { createGenerationMemory } from "./generation-file.ts";
import type { Hsm, WrappedKey } from "./port.ts";
import { dataKeyBytes, unusable, wrappedKeyBytes } from "./unusable.ts";

const random = promisify(randomBytes);

const algorithm = "id-aes256-wrap";
/** RFC 3394 §2.2.3.1. */
const initialValue = Buffer.alloc(8, 0xa6);
const kekIdLength = 16;

/**
 * `kek`: 32 bytes; `unwrapOnly`: likewise, another key of which wrapped keys may still be stored. Both are wiped here. `generationFile`: where the
 * generation of the key ring is remembered, empty for memory only. Throws an Error in production: a key in memory is no module.
 */
export function createSoftwareHsm(o: {
  kek: Secret | undefined;
  environment: "sandbox" | "production";
  unwrapOnly?: Secret | undefined;
  generationFile?: string;
}): Hsm {
  if (o.environment === "production")
    throw new Error("the software key store is refused in production: configure a hardware security module");
  assert(o.kek !== undefined, "the software key store has a key");
  const kek = keyOf(o.kek);
  const kekId = nameOf(kek);
  const keks = new Map([[kekId, kek]]);
  if (o.unwrapOnly !== undefined) {
    const older = keyOf(o.unwrapOnly);
    keks.set(nameOf(older), older);
  }
  const generation = createGenerationMemory(o.generationFile ?? "");
  return {
    kekId,
    async wrapKey(key) {
      assert(key.length === dataKeyBytes, "a data key has 32 bytes");
      const cipher = createCipheriv(algorithm, kek, initialValue);
      return { bytes: Buffer.concat([cipher.update(key), cipher.final()]), kekId };
    },
    async unwrapKey(wrapped) {
      const wrapper = keks.get(wrapped.kekId);
      if (wrapper === undefined) throw unusable("was wrapped by another key-encryption key");
      return unwrap(wrapper, wrapped);
    },
    randomBytes: (length) => random(length),
    readGeneration: async () => generation.read(),
    raiseGeneration: async (raised) => generation.raise(raised),
    async close() {},
  };
}

function keyOf(secret: Secret): KeyObject {
  assert(secret.expose().length === dataKeyBytes, "a key-encryption key has 32 bytes");
  const key = createSecretKey(secret.expose());
  secret.wipe();
  return key;
}

function unwrap(kek: KeyObject, wrapped: WrappedKey): Buffer {
  if (wrapped.bytes.length !== wrappedKeyBytes) throw unusable("has the wrong length");
  try {
    const decipher = createDecipheriv(algorithm, kek, initialValue);
    return Buffer.concat([decipher.update(wrapped.bytes), decipher.final()]);
  } catch {
    // What the cipher says about a key stays here.
    throw unusable("does not unwrap");
  }
}

/** Tells key-encryption keys apart without telling anything about them. */
function nameOf(kek: KeyObject): string {
  return `software:${createHmac("sha256", kek).update("florin.kek.1").digest("hex").slice(0, kekIdLength)}`;
}
