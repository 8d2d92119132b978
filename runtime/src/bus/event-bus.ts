/**
 * The bus: how events of the payment log reach their consumers.
 *
 * The log is the truth; a broker is a cache of it that may lose, repeat or be wiped. A consumer keeps its own position per partition, in
 * the same transaction as its effect, so that an effect happens once whatever the broker does.
 *
 * A position says how far a consumer is in one partition: every event of the partition up to it has been handled. Positions have gaps
 * (other partitions, aborted transactions), so a source proves that nothing is missing by a chain: each batch tells after which
 * position it begins.
 */
import type { EventBatch } from "@florin/gen/events/v1/events";
import { assert } from "@florin/kernel";

export const partitionCount = 16;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** Partition of a payment: the last hex digit of its 128-bit id, which are random bits. */
export function partitionOf(paymentId: string): number {
  const value = alphabet.indexOf(paymentId.charAt(paymentId.length - 1));
  assert(value >= 0 && paymentId.length > 0, "a payment id ends in a base 32 character");
  return value & 15;
}

export type PublishOptions = {
  /**
   * The batches hold every event of their partitions after this position. Says nothing of what the broker has: a consumer that is this far needs
   * no look into the log. Left out: nothing is claimed about what lies before the first event.
   */
  readonly afterPosition?: bigint;
  /** Goes into the message header. */
  readonly traceparent?: string;
};

export interface EventPublisher {
  /**
   * Resolves when the broker has acknowledged every batch. Order is kept within a partition. Safe to repeat: a batch that the broker has
   * is not stored again. Batches of one partition must come in order of position. Throws AppError `unavailable` (work unknown): publish again.
   */
  publish(batches: readonly EventBatch[], options?: PublishOptions): Promise<void>;
  /** Safe to repeat. */
  close(): Promise<void>;
}

/**
 * Called with events of one partition in order of position, one call at a time; `throughPosition` is the position to keep. `events` may be
 * empty: then only the position moves. When it rejects, the same batch comes again, and nothing later of its partition comes before it.
 */
export type HandleBatch = (batch: EventBatch) => Promise<void>;

export type FollowOptions = {
  /** Name of the consumer, for example "ledger". */
  readonly consumer: string;
  /** Position of each of the 16 partitions; 0 is the beginning. */
  readonly afterPositions: readonly bigint[];
  readonly handle: HandleBatch;
  /** Ends the following. A call of `handle` under way is waited for. */
  readonly signal: AbortSignal;
};

export interface EventSource {
  /** Resolves when `signal` is aborted. Lost connections and failing handlers are retried for ever, with pauses. */
  follow(options: FollowOptions): Promise<void>;
}

/** The broker no longer holds what a consumer needs next (wiped, purged, lost): read the log itself. */
export class EventGap extends Error {
  override readonly name = "EventGap";
  readonly partition: number;

  constructor(partition: number) {
    super(`the broker has a gap in partition ${partition}`);
    this.partition = partition;
  }
}
