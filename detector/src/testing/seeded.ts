/** Randomness from a seed, so that a failing run can be repeated. mulberry32: 32 bits of state, good enough to spread cases. */
export interface Seeded {
  /** 0 included to `below` not included. */
  integer(below: number): number;
  pick<T>(values: readonly T[]): T;
  bytes(length: number): Buffer;
  digits(length: number): string;
}

export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const integer = (below: number): number => Math.floor((next() / 4_294_967_296) * below);
  return {
    integer,
    pick: (values) => values[integer(values.length)] as (typeof values)[number],
    bytes: (length) => {
      const bytes = Buffer.allocUnsafe(length);
      for (let index = 0; index < length; index++) bytes[index] = next() & 255;
      return bytes;
    },
    digits: (length) => Array.from({ length }, () => String(integer(10))).join(""),
  };
}
