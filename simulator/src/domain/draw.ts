/** Chance without a state: the same seed and words give the same number, on every machine (32-bit integer arithmetic alone). */

const fnvOffset = 0x811c9dc5;
const fnvPrime = 0x01000193;

/** A number in [0, 1). Words are kept apart: "ab", "c" draws another number than "a", "bc". */
export function draw(seed: number, ...words: readonly string[]): number {
  let hash = (fnvOffset ^ seed) | 0;
  for (const word of words) {
    for (let index = 0; index < word.length; index++) hash = Math.imul(hash ^ word.charCodeAt(index), fnvPrime);
    // No character has this code.
    hash = Math.imul(hash ^ 0x1_0000, fnvPrime);
  }
  return finish(hash) / 0x1_0000_0000;
}

export function pick<T>(values: readonly T[], drawn: number): T {
  return values[Math.floor(drawn * values.length)] as T;
}

/** The last step of MurmurHash3: words that differ in one bit end far apart. */
function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
