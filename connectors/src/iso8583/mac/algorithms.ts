/**
 * Message authentication codes in software: the retail MAC of ANSI X9.19 (ISO/IEC 9797-1 algorithm 3 with padding method 1) and AES-CMAC
 * (RFC 4493). Keys stay in their `Secret` and, as schedules, in OpenSSL's ciphers, which live as long as whoever computes codes with them.
 *
 * Node offers neither by name. DES with one key is triple DES with that key three times, which is in every build of OpenSSL 3.
 */
import { type Cipheriv, createCipheriv } from "node:crypto";
import { assert, makeSecretBytes, type Secret } from "@florin/kernel";

export const macAlgorithms = ["x9.19", "aes-cmac"] as const;
export type MacAlgorithm = (typeof macAlgorithms)[number];

const desBlock = 8;
const aesBlock = 16;

/** The whole code of bytes: 8 of X9.19, 16 of AES-CMAC. The bytes are not kept. */
export type ComputeMac = (bytes: Uint8Array) => Uint8Array;

/** Made once for a key: making a cipher costs several times what a message does. */
export function createMac(algorithm: MacAlgorithm, key: Secret): ComputeMac {
  return algorithm === "x9.19" ? createRetailMac(key) : (bytes) => aesCmac(key, bytes);
}

/** `key`: two DES keys, 16 bytes. Zeros are added to a multiple of 8 bytes. */
function createRetailMac(key: Secret): ComputeMac {
  const both = key.expose();
  assert(both.length === 2 * desBlock, "X9.19 has a key of 16 bytes");
  const [first, second] = [both.subarray(0, desBlock), both.subarray(desBlock)];
  // All blocks but the last through single DES; the last through both keys, which is the decryption and encryption of the standard.
  const single = new Chain([first, first, first]);
  const double = new Chain([first, second, first]);
  return (bytes) => {
    const padded = makeSecretBytes(Math.max(1, Math.ceil(bytes.length / desBlock)) * desBlock);
    padded.set(bytes);
    const last = padded.subarray(-desBlock);
    xorInto(last, single.lastOf(padded.subarray(0, -desBlock)));
    const mac = double.lastOf(last);
    padded.fill(0);
    return mac;
  };
}

/** CBC from a vector of zeros, message after message through one cipher: what the one before left in it is taken out of the first block. */
class Chain {
  readonly #cipher: Cipheriv;
  readonly #left = new Uint8Array(desBlock);

  constructor(keys: readonly Uint8Array[]) {
    const key = makeSecretBytes(3 * desBlock);
    for (const [index, one] of keys.entries()) key.set(one, index * desBlock);
    this.#cipher = createCipheriv("des-ede3-cbc", key, new Uint8Array(desBlock)).setAutoPadding(false);
    key.fill(0);
  }

  /** The last block of `blocks` encrypted; zeros of no block. Changes `blocks`. */
  lastOf(blocks: Uint8Array): Uint8Array {
    if (blocks.length === 0) return new Uint8Array(desBlock);
    xorInto(blocks, this.#left);
    this.#left.set(this.#cipher.update(blocks).subarray(-desBlock));
    return this.#left.slice();
  }
}

/** As far as `mask` reaches. */
function xorInto(target: Uint8Array, mask: Uint8Array): void {
  for (let index = 0; index < mask.length; index++) target[index] = (target[index] as number) ^ (mask[index] as number);
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
