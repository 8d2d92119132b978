/** Counters in memory, at most so many: the one counted first makes room. Window numbers in the names make old ones worthless anyway. */
export class BoundedCounters {
  readonly #counts = new Map<string, number>();
  readonly #sizeMax: number;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** The count after this one, from 1. */
  increment(name: string): number {
    const count = (this.#counts.get(name) ?? 0) + 1;
    if (count === 1 && this.#counts.size >= this.#sizeMax) {
      const oldest = this.#counts.keys().next();
      if (!oldest.done) this.#counts.delete(oldest.value);
    }
    this.#counts.set(name, count);
    return count;
  }
}
