/**
 * The retail MAC (ANSI X9.19; ISO/IEC 9797-1 algorithm 3, padding 1), step by step as the standard tells it: all blocks in a chain under the
 * first key, the result decrypted under the second and encrypted under the first. Written apart from the connectors' own.
 */
import { createCipheriv, createDecipheriv, timingSafeEqual } from "node:crypto";
import type { Secret } from "@florin/kernel";
import { encode, type HostMessage, macField } from "./wire.ts";

const blockBytes = 8;

/** `key`: 16 bytes, two DES keys. */
export function retailMac(key: Secret, bytes: Uint8Array): Buffer {
  // Single DES is triple DES with one key three times, which every OpenSSL 3 has.
  const [first, second] = [0, blockBytes].map((at) => {
    const one = key.expose().subarray(at, at + blockBytes);
    return Buffer.concat([one, one, one]);
  }) as [Buffer, Buffer];
  const padded = Buffer.alloc(Math.max(1, Math.ceil(bytes.length / blockBytes)) * blockBytes);
  padded.set(bytes);
  const chain = createCipheriv("des-ede3-cbc", first, Buffer.alloc(blockBytes)).setAutoPadding(false).update(padded);
  const opened = createDecipheriv("des-ede3-ecb", second, null).setAutoPadding(false).update(chain.subarray(-blockBytes));
  const mac = createCipheriv("des-ede3-ecb", first, null).setAutoPadding(false).update(opened);
  for (const secret of [first, second, padded]) secret.fill(0);
  return mac;
}

/** The bytes of `message` with its code. */
export function seal(key: Secret, message: HostMessage): Buffer {
  const fields = new Map(message.fields).set(macField(message.fields), "\0".repeat(blockBytes));
  const bytes = encode({ mti: message.mti, fields });
  retailMac(key, bytes.subarray(0, -blockBytes)).copy(bytes, bytes.length - blockBytes);
  return bytes;
}

/** Whether the code of a message that was read from `bytes` is there and right. */
export function isSealed(key: Secret, bytes: Buffer, message: HostMessage): boolean {
  if (!message.fields.has(macField(message.fields))) return false;
  return timingSafeEqual(bytes.subarray(-blockBytes), retailMac(key, bytes.subarray(0, -blockBytes)));
}
