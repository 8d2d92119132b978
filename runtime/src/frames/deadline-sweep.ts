/**
 * One timer for any number of deadlines: a sweep at the earliest deadline known, rounded up to 50 ms.
 *
 * With a constant time-out and steady traffic the sweep runs about once per time-out, not once per command. A deadline is noticed
 * at most `granularityMs` late (plus the loop's own lateness). The clock is monotonic, so a clock step expires nothing.
 */

/** Deadlines are rounded up to a multiple of this, ms. */
export const granularityMs = 50;

export class DeadlineSweep {
  /** Expires what is due at `nowMs` (performance.now()) and returns the earliest deadline left, or Infinity. */
  readonly #sweep: (nowMs: number) => number;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(sweep: (nowMs: number) => number) {
    this.#sweep = sweep;
  }

  /** Makes sure that a sweep happens at or shortly after `deadlineMs` (performance.now() scale). */
  watch(deadlineMs: number): void {
    if (deadlineMs >= this.#dueMs) return;
    this.#arm(deadlineMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueMs = Number.POSITIVE_INFINITY;
  }

  #arm(deadlineMs: number): void {
    const dueMs = Math.ceil(deadlineMs / granularityMs) * granularityMs;
    if (dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => this.#fire(), Math.max(dueMs - performance.now(), 1));
    this.#timer.unref();
  }

  #fire(): void {
    this.#timer = undefined;
    this.#dueMs = Number.POSITIVE_INFINITY;
    const nextMs = this.#sweep(performance.now());
    if (nextMs !== Number.POSITIVE_INFINITY) this.#arm(Math.max(nextMs, performance.now() + 1));
  }
}
