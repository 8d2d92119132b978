/** Random bytes for ids, fetched many at a time: a call to the system for ten bytes costs as much as an operation's whole decision. */
import { randomBytes } from "node:crypto";
import { assert } from "@florin/kernel";

const poolLength = 4_096;

/** Each call gives bytes that no other call gets. Cryptographically strong; `length` is at most 4,096. */
export function createRandomPool(): (length: number) => Uint8Array {
  let pool = randomBytes(poolLength);
  let used = 0;
  return (length) => {
    assert(length <= poolLength, "at most a pool of random bytes at once");
    if (used + length > poolLength) {
      // A new buffer: bytes handed out earlier stay as they are.
      pool = randomBytes(poolLength);
      used = 0;
    }
    used += length;
    return pool.subarray(used - length, used);
  };
}
