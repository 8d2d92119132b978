/**
 * Draws that a payment carries in its id: asking twice gives the same answer, on every replica and after a crash, and nothing is stored.
 *
 * FNV-1a over the id and a salt, then MurmurHash3's finalizer, because FNV alone spreads its last characters badly. Not for secrets.
 */

/** A whole number from 0 to 9,999, spread evenly over ids. Draws under different salts are independent of each other. */
export function drawBps(paymentId: string, salt: string): number {
  return hash(paymentId, salt) % 10_000;
}

/** A whole number from 0 to `count` − 1; `count` ≥ 1. */
export function drawIndex(paymentId: string, salt: string, count: number): number {
  return hash(paymentId, salt) % count;
}

function hash(paymentId: string, salt: string): number {
  let value = mix(mix(0x811c9dc5, salt), paymentId);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

function mix(start: number, text: string): number {
  let value = start;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value;
}
