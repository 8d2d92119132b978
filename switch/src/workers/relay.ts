/**
 * The relay: tails the payment log in commit-safe order and publishes it, one message per partition and flush.
 *
 * The broker is a cache of the log: what it loses, consumers read from the log itself. So the relay keeps no checkpoint of its own; it
 * goes on from the broker's newest message, a little before it, because the last flush of an earlier relay may be there in part. For that
 * no flush reaches further than that little: positions have holes, sometimes wide ones. An empty broker gets the newest part of the log
 * only. Publishing twice is harmless: consumers know their positions.
 */
import { create } from "@bufbuild/protobuf";
import { type EventBatch, EventBatchSchema } from "@florin/gen/events/v1/events";
import { required } from "@florin/kernel";
import { type JetStreamBus, partitionCount, partitionOf } from "@florin/runtime/bus";
import type { Logger, Metrics } from "@florin/runtime/telemetry";
import { systemTiming, type Timing } from "@florin/runtime/timing";
import { traceparentIn } from "../store/event-body.ts";
import type { LogTail, TailPage } from "../store/log-tail.ts";

const flushEventsMax = 2_048;
/** From the first event of a flush to the position that its messages reach; and how far back the next relay begins. */
const flushPositionsMax = BigInt(2 * flushEventsMax);
/** What an empty broker is given of the past; whoever needs more reads the log. */
const refillPositionsMax = 200_000n;
/**
 * Events of so many milliseconds share a flush, and a flush is a message for each partition: with one event a message costs its publisher,
 * the broker and each consumer many times an event's share of a full one. Nothing that a caller waits for comes this way.
 */
const gatherMs = 100;
const faultPauseMs = 500;

export type RelayParts = {
  readonly tail: LogTail;
  readonly bus: Pick<JetStreamBus, "publish" | "newestPosition" | "isConnected">;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Default: the system's. */
  readonly timing?: Pick<Timing, "sleep">;
};

/** Publishes until `signal` is aborted. A broker that is away is waited for. */
export async function relay(parts: RelayParts, signal: AbortSignal): Promise<void> {
  const { tail, bus, logger, metrics, timing = systemTiming } = parts;
  let position = await startPosition(parts, signal);
  let isLeading = true;
  // By partition: this relay publishes every event after it. A partition's first message may come long after the relay's own.
  const publishesAfter = new Array<bigint>(partitionCount).fill(position);
  metrics.gauge("switch_relay_lag_events", () => (isLeading ? Math.max(0, Number(tail.decided - position)) : 0));
  while (!signal.aborted) {
    if (!bus.isConnected()) {
      // Published now it would wait for its time-out, long after the broker is back. The lag is to be seen meanwhile.
      await tail.look();
      await timing.sleep(faultPauseMs, signal);
      continue;
    }
    const page = within(await tail.read(position, flushEventsMax));
    if (page.events.length > 0) {
      try {
        await publish(bus, page, publishesAfter);
      } catch (err) {
        logger.warn({ err }, "the broker takes no events; the log keeps them");
        await timing.sleep(faultPauseMs, signal);
        continue;
      }
      metrics.count("switch_relay_published_total", undefined, page.events.length);
    }
    position = page.throughPosition;
    if (page.events.length < flushEventsMax) await timing.sleep(gatherMs, signal);
  }
  isLeading = false;
}

async function startPosition({ tail, bus, timing = systemTiming }: RelayParts, signal: AbortSignal): Promise<bigint> {
  while (!bus.isConnected() && !signal.aborted) await timing.sleep(faultPauseMs, signal);
  const newest = await bus.newestPosition();
  const start = newest === undefined ? (await tail.look()) - refillPositionsMax : newest - flushPositionsMax;
  return start > 0n ? start : 0n;
}

/** The part of a page that one flush may hold. */
function within(page: TailPage): TailPage {
  const [first] = page.events;
  if (first === undefined || page.throughPosition - first.position < flushPositionsMax) return page;
  const throughPosition = first.position + flushPositionsMax - 1n;
  return { throughPosition, events: page.events.filter(({ position }) => position <= throughPosition) };
}

/** A message for each partition, with the trace of its first event; every event carries its own besides. Moves `publishesAfter` on. */
async function publish(bus: RelayParts["bus"], page: TailPage, publishesAfter: bigint[]): Promise<void> {
  const batches = batchesOf(page);
  const published = batches.map((batch) => {
    const traceparent = traceparentIn(batch.events[0]?.body);
    const afterPosition = required(publishesAfter[batch.partition], "partition below 16");
    return bus.publish([batch], { afterPosition, ...(traceparent !== "" && { traceparent }) });
  });
  // Nothing of a flush may still be under way when it is repeated.
  for (const result of await Promise.allSettled(published)) if (result.status === "rejected") throw result.reason;
  for (const { partition } of batches) publishesAfter[partition] = page.throughPosition;
}

function batchesOf(page: TailPage): readonly EventBatch[] {
  const batches = new Map<number, EventBatch>();
  for (const { position, paymentId, body } of page.events) {
    const partition = partitionOf(paymentId);
    let batch = batches.get(partition);
    if (batch === undefined) {
      batch = create(EventBatchSchema, { partition, throughPosition: page.throughPosition });
      batches.set(partition, batch);
    }
    batch.events.push({ $typeName: "florin.events.v1.LoggedEvent", position, body, partition });
  }
  return [...batches.values()];
}
