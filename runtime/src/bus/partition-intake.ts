/**
 * Between a source and a handler: sorts events by partition, drops what was handled, notices gaps, merges what waits into one batch,
 * calls the handler one batch at a time, and repeats a failing batch without letting later ones of its partition pass.
 *
 * Bounded: a source waits with `whenRoom` once `eventsWaitingMax` events wait.
 */
import { create } from "@bufbuild/protobuf";
import { EventBatchSchema, type LoggedEvent } from "@florin/gen/events/v1/events";
import { assert, required } from "@florin/kernel";
import type { Logger } from "../telemetry/index.ts";
import { systemTiming, type Timing } from "../timing/index.ts";
import { type HandleBatch, partitionCount } from "./event-bus.ts";

const eventsWaitingMax = 8_192;
const eventsPerCallMax = 512;
const retryDelayMsMin = 50;
const retryDelayMsMax = 5_000;
/** A partition without events gets an empty batch now and then, so that its position does not stay far behind. */
const positionsPerMark = 10_000n;

export type Offer = {
  readonly partition: number;
  /** The offer holds every event of the partition after this position … */
  readonly afterPosition: bigint;
  /** … up to this one. */
  readonly throughPosition: bigint;
  readonly events: readonly LoggedEvent[];
};

type Waiting = { events: LoggedEvent[]; throughPosition: bigint; failures: number; notBeforeMs: number };

export type PartitionIntakeOptions = {
  /** Where the consumer is; not changed. */
  readonly afterPositions: readonly bigint[];
  readonly handle: HandleBatch;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly consumer: string;
  readonly onRedelivery: () => void;
  /** Default: the system's. */
  readonly timing?: Pick<Timing, "monotonicMs" | "after">;
};

export class PartitionIntake {
  /** Everything up to here has been taken in (not yet handled). */
  readonly #seen: bigint[];
  /** Everything up to here has been handled, or there was nothing to handle. */
  readonly #handled: bigint[];
  /** What the handler was told last. */
  readonly #told: bigint[];
  readonly #waiting: (Waiting | undefined)[] = new Array(partitionCount).fill(undefined);
  readonly #options: PartitionIntakeOptions;
  readonly #timing: Pick<Timing, "monotonicMs" | "after">;
  #eventsWaiting = 0;
  #next = 0;
  #isFinishing = false;
  #wakeWorker: (() => void) | undefined;
  #wakeSources: (() => void)[] = [];
  readonly #worker: Promise<void>;

  constructor(options: PartitionIntakeOptions) {
    assert(options.afterPositions.length === partitionCount, "a position for each partition");
    this.#options = options;
    this.#timing = options.timing ?? systemTiming;
    this.#seen = [...options.afterPositions];
    this.#handled = [...options.afterPositions];
    this.#told = [...options.afterPositions];
    options.signal.addEventListener("abort", this.#wakeAll, { once: true });
    this.#worker = this.#work();
  }

  /** Positions handled so far, for the next source to go on from. */
  get handled(): readonly bigint[] {
    return this.#handled;
  }

  /** The lowest position taken in: what a source that mixes partitions has to start from. */
  get seenMin(): bigint {
    let least = this.seen(0);
    for (const position of this.#seen) if (position < least) least = position;
    return least;
  }

  seen(partition: number): bigint {
    return required(this.#seen[partition], "partition below 16");
  }

  /** `gap`: events between what was seen and the offer are missing; nothing was taken. `old`: all of it was seen before. */
  offer(offer: Offer): "taken" | "old" | "gap" {
    const { partition, throughPosition } = offer;
    const seen = this.seen(partition);
    if (throughPosition <= seen) return "old";
    if (offer.afterPosition > seen) return "gap";
    const events = offer.events.filter((event) => event.position > seen);
    this.#seen[partition] = throughPosition;
    this.#enqueue(partition, throughPosition, events);
    return "taken";
  }

  /** Resolves when there is room for more, or at once when there is. */
  async whenRoom(): Promise<void> {
    while (this.#eventsWaiting >= eventsWaitingMax && !this.#options.signal.aborted)
      await new Promise<void>((resolve) => this.#wakeSources.push(resolve));
  }

  /** No more offers: resolves when all that was taken is handled, or the signal is aborted and the call under way has ended. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    this.#wakeAll();
    await this.#worker;
    this.#options.signal.removeEventListener("abort", this.#wakeAll);
  }

  #enqueue(partition: number, throughPosition: bigint, events: LoggedEvent[]): void {
    const waiting = this.#waiting[partition];
    if (waiting !== undefined) {
      for (const event of events) waiting.events.push(event);
      waiting.throughPosition = throughPosition;
    } else if (events.length > 0 || throughPosition - required(this.#told[partition], "partition below 16") >= positionsPerMark) {
      this.#waiting[partition] = { events, throughPosition, failures: 0, notBeforeMs: 0 };
    } else {
      this.#handled[partition] = throughPosition;
    }
    this.#eventsWaiting += events.length;
    this.#wakeWorker?.();
  }

  async #work(): Promise<void> {
    while (!this.#options.signal.aborted) {
      const partition = this.#ready();
      if (partition !== undefined) await this.#handleOne(partition);
      else if (this.#isFinishing && this.#waiting.every((waiting) => waiting === undefined)) return;
      else await this.#pause();
    }
  }

  /** The next partition in turn that has something to do now. */
  #ready(): number | undefined {
    const nowMs = this.#timing.monotonicMs();
    for (let step = 0; step < partitionCount; step++) {
      const partition = (this.#next + step) % partitionCount;
      const waiting = this.#waiting[partition];
      if (waiting === undefined || waiting.notBeforeMs > nowMs) continue;
      this.#next = (partition + 1) % partitionCount;
      return partition;
    }
    return undefined;
  }

  async #handleOne(partition: number): Promise<void> {
    const waiting = required(this.#waiting[partition], "a ready partition has something waiting");
    const events = waiting.events.slice(0, eventsPerCallMax);
    const isAll = events.length === waiting.events.length;
    const throughPosition = isAll ? waiting.throughPosition : required(events.at(-1), "part of many").position;
    try {
      await this.#options.handle(create(EventBatchSchema, { partition, throughPosition, events }));
    } catch (err) {
      this.#putOff(partition, waiting, err);
      return;
    }
    this.#handled[partition] = throughPosition;
    this.#told[partition] = throughPosition;
    waiting.events.splice(0, events.length);
    waiting.failures = 0;
    this.#eventsWaiting -= events.length;
    // More may have come in while the handler ran, if only a later position.
    if (waiting.events.length === 0) {
      this.#handled[partition] = waiting.throughPosition;
      this.#waiting[partition] = undefined;
    }
    for (const wake of this.#wakeSources.splice(0)) wake();
  }

  #putOff(partition: number, waiting: Waiting, err: unknown): void {
    waiting.failures += 1;
    const delayMs = Math.min(retryDelayMsMin * 2 ** (waiting.failures - 1), retryDelayMsMax);
    waiting.notBeforeMs = this.#timing.monotonicMs() + delayMs;
    this.#options.onRedelivery();
    const { logger, consumer } = this.#options;
    logger.warn(
      { consumer, partition, failures: waiting.failures, retry_delay_ms: delayMs, err },
      "event handler failed, the batch comes again",
    );
  }

  /** Until something is offered, a put-off batch is due, or the end. */
  async #pause(): Promise<void> {
    const dueMs = this.#waiting.reduce(
      (least, waiting) => Math.min(least, waiting?.notBeforeMs ?? Number.POSITIVE_INFINITY),
      Number.POSITIVE_INFINITY,
    );
    let cancel: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      this.#wakeWorker = resolve;
      if (Number.isFinite(dueMs)) cancel = this.#timing.after(Math.max(1, dueMs - this.#timing.monotonicMs()), resolve);
    });
    cancel?.();
    this.#wakeWorker = undefined;
  }

  readonly #wakeAll = (): void => {
    this.#wakeWorker?.();
    for (const wake of this.#wakeSources.splice(0)) wake();
  };
}
