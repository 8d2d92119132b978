/**
 * References that were used lately, the latest `countMax` of them. A hint, lost with the process: a repetition that is not recognised is sent
 * with the type of a first message, and is the same message otherwise.
 */
export class RecentReferences {
  readonly #countMax: number;
  readonly #references = new Set<string>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Whether it was there already. */
  add(reference: string): boolean {
    if (this.#references.has(reference)) return true;
    this.#references.add(reference);
    const [oldest] = this.#references;
    if (this.#references.size > this.#countMax && oldest !== undefined) this.#references.delete(oldest);
    return false;
  }
}
