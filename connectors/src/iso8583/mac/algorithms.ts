/**
 * Message authentication codes in software: the retail MAC of ANSI X9.19 (ISO/IEC 9797-1 algorithm 3 with padding method 1) and AES-CMAC
 * (RFC 4493). Keys stay in their `Secret`; what a cipher derives from them is wiped here, what OpenSSL copies is its own to free.
 *
 * Node offers neither by name. DES with one key is triple DES with that key three times, which is in every build of OpenSSL 3.
 */
import { createCipheriv } from "node:crypto";
import { assert, makeSecretBytes, type Secret } from "@florin/kernel";

export const macAlgorithms = ["x9.19", "aes-cmac"] as const;
export type MacAlgorithm = (typeof macAlgorithms)[number];

const desBlock = 8;
const aesBlock = 16;

/** The whole result of `algorithm` over `bytes`: 8 bytes of X9.19, 16 of AES-CMAC. */
export function computeMac(algorithm: MacAlgorithm, key: Secret, bytes: Uint8Array): Uint8Array {
  return algorithm === "x9.19" ? retailMac(key, bytes) : aesCmac(key, bytes);
}

/** `key`: two DES keys, 16 bytes. Zeros are added to a multiple of 8 bytes. */
function retailMac(key: Secret, bytes: Uint8Array): Uint8Array {
  const both = key.expose();
  assert(both.length === 2 * desBlock, "X9.19 has a key of 16 bytes");
  const keys = makeSecretBytes(3 * desBlock);
  try {
    const blocks = Math.max(1, Math.ceil(bytes.length / desBlock));
    const padded = Buffer.alloc(blocks * desBlock);
    padded.set(bytes);
    // All blocks but the last through single DES; the last through both keys, which is the decryption and encryption of the standard.
    for (let times = 0; times < 3; times++) keys.set(both.subarray(0, desBlock), times * desBlock);
    const chain = lastBlock("des-ede3-cbc", keys, padded.subarray(0, -desBlock), desBlock);
    keys.set(both.subarray(desBlock), desBlock);
    const last = xor(chain, padded.subarray(-desBlock));
    padded.fill(0);
    return lastBlock("des-ede3-cbc", keys, last, desBlock);
  } finally {
    keys.fill(0);
  }
}

/** `key`: 16, 24 or 32 bytes. */
function aesCmac(key: Secret, bytes: Uint8Array): Uint8Array {
  const secret = key.expose();
  assert([16, 24, 32].includes(secret.length), "AES has a key of 16, 24 or 32 bytes");
  const cipher = `aes-${secret.length * 8}-cbc`;
  const whole = doubled(lastBlock(cipher, secret, new Uint8Array(aesBlock), aesBlock));
  const partial = doubled(whole);
  const isWhole = bytes.length > 0 && bytes.length % aesBlock === 0;
  const padded = Buffer.alloc(Math.max(1, Math.ceil(bytes.length / aesBlock)) * aesBlock);
  padded.set(bytes);
  if (!isWhole) padded[bytes.length] = 0x80;
  const tail = padded.subarray(-aesBlock);
  tail.set(xor(tail, isWhole ? whole : partial));
  const mac = lastBlock(cipher, secret, padded, aesBlock);
  for (const secretBytes of [padded, whole, partial]) secretBytes.fill(0);
  return mac;
}

/** The last block of CBC from a vector of zeros: zeros of no block. */
function lastBlock(cipher: string, key: Uint8Array, blocks: Uint8Array, blockBytes: number): Uint8Array {
  if (blocks.length === 0) return new Uint8Array(blockBytes);
  const encryption = createCipheriv(cipher, key, new Uint8Array(blockBytes)).setAutoPadding(false);
  const encrypted = encryption.update(blocks);
  encryption.final();
  return new Uint8Array(encrypted.subarray(-blockBytes));
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, index) => byte ^ (b[index] as number));
}

/** Multiplication by x in GF(2^128), RFC 4493 §2.3. */
function doubled(block: Uint8Array): Uint8Array {
  const result = block.map((byte, index) => ((byte << 1) & 0xff) | ((block[index + 1] ?? 0) >> 7));
  const overflow = (block[0] as number) >> 7;
  result[aesBlock - 1] = (result[aesBlock - 1] as number) ^ (overflow * 0x87);
  return result;
}
