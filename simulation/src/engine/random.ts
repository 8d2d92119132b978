/** The one source of chance of a run. Same seed, same numbers, on every machine: 32-bit integer arithmetic alone (sfc32). */
export type Random = {
  /** In [0, 1). */
  unit(): number;
  /** In [from, to). */
  between(from: number, to: number): number;
  /** An integer from 0 to `below` - 1. */
  below(below: number): number;
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
  bytes(length: number): Uint8Array;
  /** A source of its own, so that what one part draws does not shift another part's numbers. */
  fork(): Random;
};

const warmUpRounds = 12;

export function createRandom(seed: number): Random {
  let a = seed | 0;
  let b = Math.imul(seed, 0x9e3779b9) | 0;
  let c = (seed / 0x1_0000_0000) | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let round = 0; round < warmUpRounds; round++) next();
  const unit = () => next() / 0x1_0000_0000;
  const below = (limit: number) => Math.floor(unit() * limit);
  return {
    unit,
    below,
    between: (from, to) => from + unit() * (to - from),
    chance: (probability) => probability > 0 && unit() < probability,
    pick: (values) => values[below(values.length)] as (typeof values)[number],
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let index = 0; index < length; index++) bytes[index] = next() & 255;
      return bytes;
    },
    fork: () => createRandom(next()),
  };
}
