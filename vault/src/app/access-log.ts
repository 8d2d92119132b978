/**
 * Every opened card leaves a record: who, why, for which payment.
 *
 * Records are numbered, queued and written in batches, one at a time and in order, at least `paceMs` apart, because a commit costs the
 * same with one row as with hundreds. A batch that fails is repeated, the same records with the same numbers, until it is written.
 *
 * Invariants
 * - a record is taken before its card leaves this process; when it cannot be taken the card stays closed (fail closed);
 * - it cannot be taken while `queueDepthMax` records wait, or while the oldest waits longer than `delayMsMax` (the database is away);
 * - `close` writes all that was taken, or rejects and says how many are left.
 *
 * What is left open: a process that is killed between an answer and the next batch loses the records of that time, `paceMs` and one commit in
 * normal operation. Who must exclude that too waits for `settled()` before it answers; see config.ts, FLORIN_ACCESS_RECORDS.
 */
import { AppError } from "@florin/kernel";
import type { Logger } from "@florin/runtime/telemetry";
import type { Access, AccessStore } from "../store/access-log.ts";

export interface AccessLog {
  /** Takes a record. Throws AppError overloaded or unavailable, not_done, when it cannot. */
  take(access: Access): void;
  /** Resolves when everything taken so far is committed. */
  settled(): Promise<void>;
  /** False while records wait too long or too many of them; cards stay closed then. */
  isHealthy(): boolean;
  /** Records that wait or are being written. */
  readonly depth: number;
  /** Writes what is left, for at most `timeoutMs`. Rejects when records are left then. */
  close(timeoutMs: number): Promise<void>;
}

export type AccessLogOptions = {
  readonly store: Pick<AccessStore, "append">;
  /** A uuid of this run of this process. */
  readonly writerId: string;
  readonly logger: Logger;
  /** Least time between the starts of two batches, ms. */
  readonly paceMs: number;
  readonly queueDepthMax?: number;
  readonly delayMsMax?: number;
};

const queueDepthMaxDefault = 50_000;
const delayMsMaxDefault = 2_000;
const batchMax = 2_048;
const retryDelayMsMin = 50;
const retryDelayMsMax = 1_000;

type Waiter = { readonly untilSeq: number; readonly resolve: () => void };

export function createAccessLog(o: AccessLogOptions): AccessLog {
  return new BatchedAccessLog(o);
}

class BatchedAccessLog implements AccessLog {
  readonly #options: Required<AccessLogOptions>;
  /** Records without a commit, oldest first. */
  #queue: Access[] = [];
  /** The head of the queue that is being written; empty when none is. */
  #batch: readonly Access[] = [];
  /** Number of the oldest record in the queue. */
  #firstSeq = 1;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #isWriting = false;
  #timer: NodeJS.Timeout | undefined;
  #retryDelayMs = 0;
  #waiters: Waiter[] = [];
  #isClosed = false;
  #isHurried = false;

  constructor(options: AccessLogOptions) {
    this.#options = { queueDepthMax: queueDepthMaxDefault, delayMsMax: delayMsMaxDefault, ...options };
  }

  get depth(): number {
    return this.#queue.length;
  }

  isHealthy(): boolean {
    const [oldest] = this.#queue;
    if (oldest === undefined) return true;
    return this.#queue.length < this.#options.queueDepthMax && Date.now() - oldest.atMs <= this.#options.delayMsMax;
  }

  take(access: Access): void {
    if (this.#isClosed) throw new AppError("unavailable", "the access log is closed", { work: "not_done" });
    if (this.#queue.length >= this.#options.queueDepthMax)
      throw new AppError("overloaded", "too many access records wait", { work: "not_done" });
    if (!this.isHealthy()) throw new AppError("unavailable", "access records cannot be written", { work: "not_done" });
    this.#queue.push(access);
    this.#plan();
  }

  settled(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ untilSeq: this.#firstSeq + this.#queue.length, resolve }));
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    this.#isHurried = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#plan();
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.settled(), tooLate]);
    clearTimeout(timer);
    clearTimeout(this.#timer);
    if (this.#queue.length > 0)
      throw new AppError("unavailable", `${this.#queue.length} access records could not be written`, { work: "unknown" });
  }

  #plan(): void {
    if (this.#isWriting || this.#timer !== undefined || this.#queue.length === 0) return;
    const paceMs = this.#isHurried ? 0 : Math.max(0, this.#startedAtMs + this.#options.paceMs - performance.now());
    const delayMs = Math.max(paceMs, this.#retryDelayMs);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#write();
    }, delayMs);
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    this.#startedAtMs = performance.now();
    // A batch that failed may be there all the same, so it is repeated as it was.
    if (this.#batch.length === 0) this.#batch = this.#queue.slice(0, batchMax);
    try {
      await this.#options.store.append(this.#options.writerId, this.#firstSeq, this.#batch);
      this.#retryDelayMs = 0;
      this.#queue = this.#queue.slice(this.#batch.length);
      this.#firstSeq += this.#batch.length;
      this.#batch = [];
      this.#wake();
    } catch (err) {
      this.#retryDelayMs = Math.min(retryDelayMsMax, Math.max(retryDelayMsMin, this.#retryDelayMs * 2));
      this.#options.logger.error(
        { err, records: this.#queue.length, retry_delay_ms: this.#retryDelayMs },
        "access records not written yet",
      );
    }
    this.#isWriting = false;
    this.#plan();
  }

  #wake(): void {
    const done = this.#waiters.filter(({ untilSeq }) => untilSeq <= this.#firstSeq);
    if (done.length === 0) return;
    this.#waiters = this.#waiters.filter(({ untilSeq }) => untilSeq > this.#firstSeq);
    for (const { resolve } of done) resolve();
  }
}
