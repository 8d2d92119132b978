/**
 * From batches of the payment log to the bookkeeper: what moves no money is dropped here, unread.
 *
 * A batch counts as handled when it is taken in, before it is committed, so that one transaction can gather many batches. That loses
 * nothing: where to go on after a fault is read from the books, never from the source, and after a fault nothing more is taken in.
 */
import type { EventBatch } from "@florin/gen/events/v1/events";
import type { Bookkeeper } from "../app/bookkeeper.ts";
import { readBookedEvent } from "./booked-event.ts";

/** Beyond these the source waits until what it gave is committed. */
const eventsWaitingMax = 16_384;
const batchesWaitingMax = 2_048;

export type LogIntake = {
  /** For `EventSource.follow`: takes in one batch; batches of one partition in order. Rejects after a fault. */
  readonly handle: (batch: EventBatch) => Promise<void>;
  /** Log positions that have arrived and are not committed yet. */
  readonly lagPositions: number;
  /** Waits until everything taken in is committed; throws the first fault. Call it after the source has ended. */
  finish(): Promise<void>;
};

/** `onFault` is called once, when a batch could not be read or posted: the source is to be stopped and followed anew. */
export function createLogIntake(options: { readonly bookkeeper: Bookkeeper; readonly onFault: () => void }): LogIntake {
  const { bookkeeper } = options;
  let fault: { readonly thrown: unknown } | undefined;
  let eventsWaiting = 0;
  let batchesWaiting = 0;
  let arrived = 0n;
  let committed = 0n;

  async function post(batch: EventBatch): Promise<void> {
    const { partition, throughPosition, events } = batch;
    eventsWaiting += events.length;
    batchesWaiting += 1;
    if (throughPosition > arrived) arrived = throughPosition;
    try {
      await bookkeeper.post({
        partition,
        throughPosition,
        events: events.map(({ position, body }) => ({ position, event: readBookedEvent(position, body) })),
      });
      if (throughPosition > committed) committed = throughPosition;
    } catch (thrown) {
      if (fault === undefined) {
        fault = { thrown };
        options.onFault();
      }
    } finally {
      eventsWaiting -= events.length;
      batchesWaiting -= 1;
    }
  }

  return {
    get lagPositions() {
      return Number(arrived - committed);
    },
    async handle(batch) {
      if (fault !== undefined) throw fault.thrown;
      const posted = post(batch);
      if (eventsWaiting > eventsWaitingMax || batchesWaiting > batchesWaitingMax) await posted;
    },
    async finish() {
      await bookkeeper.close();
      if (fault !== undefined) throw fault.thrown;
    },
  };
}
