/**
 * Request ids: "req_…", as the kernel's `makeId` writes them, at a tenth of the price.
 *
 * 128 bits are 48 of time and 80 random, and 26 characters are ten of time and sixteen random: the parts meet at a character, so the time is
 * written once per millisecond and each random character takes five bits of one pooled byte.
 */
import { randomFillSync } from "node:crypto";
import { makeId } from "@florin/kernel";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const randomLength = 16;
const pool = Buffer.alloc(randomLength * 512);
const noRandom = new Uint8Array(10);
let poolUsed = pool.length;
let timeMs = -1;
let head = "";

/** A new id made of `nowMs` (Unix milliseconds). */
export function nextRequestId(nowMs: number = Date.now()): string {
  if (nowMs !== timeMs) {
    timeMs = nowMs;
    head = makeId("request", nowMs, noRandom).slice(0, -randomLength);
  }
  if (poolUsed === pool.length) {
    randomFillSync(pool);
    // Turned into characters once for the whole pool.
    for (let index = 0; index < pool.length; index++) pool[index] = alphabet.charCodeAt((pool[index] as number) & 31);
    poolUsed = 0;
  }
  poolUsed += randomLength;
  return head + pool.toString("latin1", poolUsed - randomLength, poolUsed);
}
