/**
 * References that were used lately, the latest `countMax` of them, and since when. Lost with the process: a repetition that is not recognised is sent
 * with the type of a first message, and what depends on its age waits anew.
 */
export class RecentReferences {
  readonly #countMax: number;
  readonly #monotonicMs: () => number;
  readonly #firstMs = new Map<string, number>();

  constructor(countMax: number, monotonicMs: () => number) {
    this.#countMax = countMax;
    this.#monotonicMs = monotonicMs;
  }

  forget(reference: string): void {
    this.#firstMs.delete(reference);
  }

  /** How long it has been there, ms; undefined: it is new. Remembers it. */
  use(reference: string): number | undefined {
    const firstMs = this.#firstMs.get(reference);
    if (firstMs !== undefined) return this.#monotonicMs() - firstMs;
    this.#firstMs.set(reference, this.#monotonicMs());
    const [oldest] = this.#firstMs.keys();
    if (this.#firstMs.size > this.#countMax && oldest !== undefined) this.#firstMs.delete(oldest);
    return undefined;
  }
}
