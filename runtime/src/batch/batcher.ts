/**
 * Batches without timers: the next batch is whatever arrived while the last one was in flight.
 *
 * One when idle, hundreds under load. A batch starts at the end of the event-loop turn (`setImmediate`, the check phase that follows
 * the sockets of this turn), so members submitted in one turn share it and nothing ever waits for a clock. A full batch starts at once.
 *
 * Invariants
 * - at most `queueDepthMax` members wait and at most `concurrencyMax` batches of at most `batchMax` members run;
 * - members run in the order of their submission; with `concurrencyMax` 1 the batches do too;
 * - every member is settled exactly once, each with its own answer: one bad member does not fail its neighbours;
 * - `run` answering with a wrong number of answers is a bug: nobody can say which answer is whose, so all members get `internal`, unknown.
 *
 * Not here: retries, time-outs, deduplication. They belong to `run`, which knows what a member is.
 */
import { AppError, AssertionError, assert, toAppError } from "@florin/kernel";
import { systemTiming, type Timing } from "../timing/index.ts";

/** The answer to one member of a batch. */
export type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

export type BatcherOptions<In, Out> = {
  /** Used in error messages: "append", "describe-token". */
  readonly name: string;
  /** Does the work of all members; answers in the order of the members, one answer each. A rejection fails every member of this batch. */
  readonly run: (members: readonly In[]) => Promise<readonly Settled<Out>[]>;
  /** Members in one batch (at least 1). */
  readonly batchMax: number;
  /** Members waiting (at least 1); beyond it `submit` is answered `overloaded`. */
  readonly queueDepthMax: number;
  /** Batches in flight. Default 1. */
  readonly concurrencyMax?: number;
  /**
   * Members that must wait before a batch starts beside a running one (1 to batchMax). Default 1. Each batch has a price of its own; a
   * second one that is nearly empty pays it for little, and its members lose little by waiting for the first.
   */
  readonly besideMin?: number;
  /** When a turn of the event loop ends. Default: the system's. */
  readonly timing?: Pick<Timing, "atTurnEnd">;
};

export interface Batcher<In, Out> {
  /** Settles with this member's own answer. Rejects with AppError `overloaded` (not_done) when the queue is full, `unavailable` (not_done) after close. */
  submit(member: In): Promise<Out>;
  /** Members waiting for a batch, those in flight not counted. */
  readonly depth: number;
  /** Members in batches that run now. */
  readonly inFlight: number;
  /** The largest `depth` since the last call of this function; calling it starts a new observation. */
  takeDepthPeak(): number;
  /** Refuses new members, waits until every accepted one is settled. Safe to repeat. */
  close(): Promise<void>;
}

type Settle<Out> = { readonly resolve: (value: Out) => void; readonly reject: (error: unknown) => void };

export function createBatcher<In, Out>(options: BatcherOptions<In, Out>): Batcher<In, Out> {
  const { batchMax, queueDepthMax, concurrencyMax = 1, besideMin = 1, timing = systemTiming } = options;
  assert(Number.isInteger(batchMax) && batchMax >= 1, "batchMax is an integer of at least 1");
  assert(Number.isInteger(queueDepthMax) && queueDepthMax >= 1, "queueDepthMax is an integer of at least 1");
  assert(Number.isInteger(concurrencyMax) && concurrencyMax >= 1, "concurrencyMax is an integer of at least 1");
  assert(Number.isInteger(besideMin) && besideMin >= 1 && besideMin <= batchMax, "besideMin is an integer from 1 to batchMax");
  return new QueueBatcher({ ...options, concurrencyMax, besideMin, timing });
}

class QueueBatcher<In, Out> implements Batcher<In, Out> {
  readonly #options: Required<BatcherOptions<In, Out>>;
  /** Parallel arrays: the members go to `run` as they are, without a copy. */
  #members: In[] = [];
  #settles: Settle<Out>[] = [];
  #batchesRunning = 0;
  #membersRunning = 0;
  #isStartPlanned = false;
  #depthPeak = 0;
  #isClosed = false;
  #whenEmpty: (() => void)[] = [];

  constructor(options: Required<BatcherOptions<In, Out>>) {
    this.#options = options;
  }

  get depth(): number {
    return this.#members.length;
  }

  get inFlight(): number {
    return this.#membersRunning;
  }

  takeDepthPeak(): number {
    const peak = this.#depthPeak;
    this.#depthPeak = this.#members.length;
    return peak;
  }

  submit(member: In): Promise<Out> {
    const { name, queueDepthMax } = this.#options;
    if (this.#isClosed) return Promise.reject(new AppError("unavailable", `${name} is closed`, { work: "not_done" }));
    if (this.#members.length >= queueDepthMax) {
      return Promise.reject(new AppError("overloaded", `${name} has ${queueDepthMax} members waiting`, { work: "not_done" }));
    }
    return new Promise<Out>((resolve, reject) => {
      const depth = this.#members.push(member);
      this.#settles.push({ resolve, reject });
      if (depth > this.#depthPeak) this.#depthPeak = depth;
      this.#plan();
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#isEmpty()) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  #isEmpty(): boolean {
    return this.#members.length === 0 && this.#batchesRunning === 0;
  }

  #plan(): void {
    if (!this.#mayStart()) return;
    if (this.#members.length >= this.#options.batchMax) {
      this.#start();
      return;
    }
    if (this.#isStartPlanned) return;
    this.#isStartPlanned = true;
    this.#options.timing.atTurnEnd(() => {
      this.#isStartPlanned = false;
      if (this.#mayStart()) this.#start();
    });
  }

  #mayStart(): boolean {
    const { concurrencyMax, besideMin } = this.#options;
    return this.#batchesRunning < concurrencyMax && this.#members.length >= (this.#batchesRunning === 0 ? 1 : besideMin);
  }

  #start(): void {
    const isAll = this.#members.length <= this.#options.batchMax;
    const members = isAll ? this.#members : this.#members.splice(0, this.#options.batchMax);
    const settles = isAll ? this.#settles : this.#settles.splice(0, this.#options.batchMax);
    if (isAll) {
      this.#members = [];
      this.#settles = [];
    }
    this.#batchesRunning += 1;
    this.#membersRunning += members.length;
    this.#run(members).then(
      (answers) => this.#finish(settles, answers),
      (fault: unknown) => this.#fail(settles, fault),
    );
  }

  /** `async` so that a synchronous throw of `run` becomes a rejection of this batch only. */
  async #run(members: readonly In[]): Promise<readonly Settled<Out>[]> {
    return this.#options.run(members);
  }

  #finish(settles: readonly Settle<Out>[], answers: readonly Settled<Out>[]): void {
    if (!Array.isArray(answers) || answers.length !== settles.length) {
      const bug = new AssertionError(`${this.#options.name} answered ${String(answers?.length)} of ${settles.length} members`);
      this.#fail(settles, bug);
      return;
    }
    for (const [index, settle] of settles.entries()) settleOne(settle, answers[index]);
    this.#ended(settles.length);
  }

  #fail(settles: readonly Settle<Out>[], thrown: unknown): void {
    const fault = toAppError(thrown);
    for (const settle of settles) settle.reject(fault);
    this.#ended(settles.length);
  }

  #ended(memberCount: number): void {
    this.#batchesRunning -= 1;
    this.#membersRunning -= memberCount;
    this.#plan();
    if (!this.#isEmpty()) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}

function settleOne<Out>(settle: Settle<Out>, answer: Settled<Out> | undefined): void {
  if (answer === undefined) {
    settle.reject(new AppError("internal", "a batch left a member without an answer", { work: "unknown" }));
    return;
  }
  if (answer.ok) {
    settle.resolve(answer.value);
    return;
  }
  settle.reject(answer.error);
}
