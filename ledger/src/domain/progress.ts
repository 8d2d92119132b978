/**
 * How far the books follow the log: one position per partition. A batch is applied when it moves a partition forward; what a batch
 * repeats is dropped event by event, so redelivery in any size has no effect.
 */
import { assert } from "@florin/kernel";

export const partitionCount = 16;

/** Positions through which each partition is posted; index is the partition. */
export type Progress = readonly bigint[];

export const progressOfNothing: Progress = Array.from({ length: partitionCount }, () => 0n);

/** Part of one partition of the log: every event of it after an earlier batch and up to `throughPosition`, in order. */
export type LogBatch<Event> = {
  readonly partition: number;
  readonly throughPosition: bigint;
  readonly events: readonly { readonly position: bigint; readonly event: Event }[];
};

/** What of `batches` is new after `progress`, in the order given, and the progress after it. */
export function newSince<Event>(
  progress: Progress,
  batches: readonly LogBatch<Event>[],
): { readonly events: readonly Event[]; readonly progress: Progress } {
  assert(progress.length === partitionCount, "one position per partition");
  const next = [...progress];
  const events: Event[] = [];
  for (const batch of batches) {
    let reached = next[batch.partition];
    assert(reached !== undefined, "a partition is 0 to 15");
    for (const { position, event } of batch.events) {
      assert(position <= batch.throughPosition, "no event lies beyond its batch");
      if (position <= reached) continue;
      reached = position;
      events.push(event);
    }
    if (batch.throughPosition > reached) reached = batch.throughPosition;
    next[batch.partition] = reached;
  }
  return { events, progress: next };
}

/** The position through which every partition is posted. */
export function completeThrough(progress: Progress): bigint {
  let least = progress[0] ?? 0n;
  for (const position of progress) if (position < least) least = position;
  return least;
}

/** True when every partition of `progress` is at `goal` or beyond. */
export function hasReached(progress: Progress, goal: Progress): boolean {
  return goal.every((position, partition) => (progress[partition] ?? 0n) >= position);
}

/** The part of a batch that lies at or below `goal`, or undefined when there is none. */
export function trimmedTo<Event>(goal: Progress, batch: LogBatch<Event>): LogBatch<Event> | undefined {
  const end = goal[batch.partition] ?? 0n;
  const events = batch.events.filter(({ position }) => position <= end);
  const throughPosition = batch.throughPosition < end ? batch.throughPosition : end;
  return throughPosition === 0n ? undefined : { partition: batch.partition, throughPosition, events };
}
