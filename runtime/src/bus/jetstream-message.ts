/** A batch as a JetStream message: subject, headers and body; and back. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type EventBatch, EventBatchSchema, type LoggedEvent } from "@florin/gen/events/v1/events";
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import type { Offer } from "./partition-intake.ts";

export const subjectPrefix = "florin.payments.v1";
/** The message holds every event of its partition after this position. */
const afterHeader = "Florin-After";
/** … up to this one. */
const throughHeader = "Florin-Through";
const traceparentHeader = "traceparent";
/** The server takes 1 MiB by default; headers and framing need some of it. */
const eventBytesMax = 768 * 1_024;
const eventOverheadBytes = 24;

export type OutgoingMessage = {
  readonly subject: string;
  readonly id: string;
  readonly body: Uint8Array;
  readonly headers: MsgHdrs;
  readonly throughPosition: bigint;
};

/** `afterPosition` undefined: nothing is claimed about what lies before the first event. */
export function encodeMessage(batch: EventBatch, afterPosition: bigint | undefined, traceparent: string | undefined): OutgoingMessage {
  const first = batch.events[0]?.position ?? batch.throughPosition;
  const after = afterPosition ?? (batch.events.length === 0 ? batch.throughPosition : first - 1n);
  const head = headers();
  head.set(afterHeader, after.toString());
  head.set(throughHeader, batch.throughPosition.toString());
  if (traceparent !== undefined) head.set(traceparentHeader, traceparent);
  return {
    subject: `${subjectPrefix}.${batch.partition}`,
    id: `${batch.partition}:${first}-${batch.throughPosition}`,
    body: toBinary(EventBatchSchema, batch),
    headers: head,
    throughPosition: batch.throughPosition,
  };
}

/** Undefined for a message that is not ours. */
export function decodeMessage(body: Uint8Array, head: MsgHdrs | undefined): Offer | undefined {
  const after = positionIn(head, afterHeader);
  if (after === undefined) return undefined;
  try {
    const { partition, throughPosition, events } = fromBinary(EventBatchSchema, body);
    return { partition, afterPosition: after, throughPosition, events };
  } catch {
    return undefined;
  }
}

/** The position a message reaches, from its header alone. */
export function throughOf(head: MsgHdrs | undefined): bigint | undefined {
  return positionIn(head, throughHeader);
}

function positionIn(head: MsgHdrs | undefined, name: string): bigint | undefined {
  const text = head?.get(name) ?? "";
  return /^\d{1,19}$/.test(text) ? BigInt(text) : undefined;
}

/** Batches that each fit into one message; order and the last position are kept. */
export function splitBySize(batch: EventBatch): readonly EventBatch[] {
  const parts: LoggedEvent[][] = [[]];
  let bytes = 0;
  for (const event of batch.events) {
    const eventBytes = event.body.length + eventOverheadBytes;
    if (bytes > 0 && bytes + eventBytes > eventBytesMax) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(event);
    bytes += eventBytes;
  }
  if (parts.length === 1) return [batch];
  return parts.map((events, index) => {
    const isLast = index === parts.length - 1;
    return create(EventBatchSchema, {
      partition: batch.partition,
      events,
      throughPosition: isLast ? batch.throughPosition : (events.at(-1)?.position ?? 0n),
    });
  });
}
