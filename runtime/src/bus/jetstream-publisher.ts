/**
 * Publishes batches to JetStream, acknowledged, in order within a partition, repeatable.
 *
 * Partitions go side by side and within one the next message waits for the last acknowledgement, so at most 16 are in flight. Each message
 * says which sequence it expects before it in its subject: when somebody else has published in between, or the broker has lost its tail,
 * the broker refuses, and the message goes out again without claiming an unbroken chain. Consumers then look into the log.
 */
import type { EventBatch } from "@florin/gen/events/v1/events";
import { AppError, assert } from "@florin/kernel";
import { JetStreamApiError, type JetStreamClient } from "@nats-io/jetstream";
import type { Logger } from "../telemetry/index.ts";
import { type EventPublisher, type PublishOptions, partitionCount } from "./event-bus.ts";
import { encodeMessage, type OutgoingMessage, splitBySize } from "./jetstream-message.ts";

const publishTimeoutMs = 5_000;
/** JetStream error code "wrong last sequence". */
const wrongLastSequence = 10_071;

/** What this publisher knows of the newest message of a partition. */
type Tail = { readonly sequence: number; readonly throughPosition: bigint };

export type JetStreamPublisherOptions = {
  readonly client: JetStreamClient;
  readonly logger: Logger /** Makes the stream again when it is gone. */;
  readonly ensureStream: () => Promise<void>;
};

export function createJetStreamPublisher(options: JetStreamPublisherOptions): Pick<EventPublisher, "publish"> {
  const tails: (Tail | undefined)[] = new Array(partitionCount).fill(undefined);
  // One line per partition: calls of `publish` may overlap, their messages may not pass each other.
  const lines: Promise<void>[] = new Array(partitionCount).fill(Promise.resolve());
  return {
    publish: async (batches, publishOptions = {}) => {
      const done = new Map<number, Promise<void>>();
      for (const [partition, own] of byPartition(batches)) {
        const turn = (lines[partition] ?? Promise.resolve())
          .catch(() => {})
          .then(() => publishInOrder(options, tails, partition, own, publishOptions));
        lines[partition] = turn.catch(() => {});
        done.set(partition, turn);
      }
      const results = await Promise.allSettled(done.values());
      for (const result of results) if (result.status === "rejected") throw toFault(result.reason);
    },
  };
}

function byPartition(batches: readonly EventBatch[]): ReadonlyMap<number, EventBatch[]> {
  const groups = new Map<number, EventBatch[]>();
  for (const batch of batches) {
    assert(batch.partition < partitionCount, "partition below 16");
    const group = groups.get(batch.partition);
    if (group === undefined) groups.set(batch.partition, [batch]);
    else group.push(batch);
  }
  return groups;
}

async function publishInOrder(
  options: JetStreamPublisherOptions,
  tails: (Tail | undefined)[],
  partition: number,
  batches: readonly EventBatch[],
  publishOptions: PublishOptions,
): Promise<void> {
  // The broker may refuse each part by itself: what a part claims when it goes out again ends where the part before it ended.
  let heldAfter = publishOptions.afterPosition;
  for (const batch of batches.flatMap(splitBySize)) {
    const tail = tails[partition];
    // Until the acknowledgement is here nobody knows what the newest message is.
    tails[partition] = undefined;
    const after = tail === undefined ? heldAfter : least(tail.throughPosition, batch.events[0]?.position);
    if (after === undefined && batch.events.length === 0) continue;
    const chained = encodeMessage(batch, after, publishOptions.traceparent);
    const sequence =
      (await send(options, chained, tail)) ?? (await send(options, encodeMessage(batch, heldAfter, publishOptions.traceparent), undefined));
    tails[partition] = sequence === undefined ? undefined : { sequence, throughPosition: batch.throughPosition };
    heldAfter = batch.throughPosition;
  }
}

/** A batch that is published again begins before the tail: its claim ends where its events begin. */
function least(throughPosition: bigint, firstPosition: bigint | undefined): bigint {
  return firstPosition !== undefined && firstPosition <= throughPosition ? firstPosition - 1n : throughPosition;
}

/** The sequence the broker gave, or undefined when the tail was not what we thought. */
async function send(
  { client, ensureStream, logger }: JetStreamPublisherOptions,
  message: OutgoingMessage,
  tail: Tail | undefined,
): Promise<number | undefined> {
  const publish = () =>
    client.publish(message.subject, message.body, {
      msgID: message.id,
      headers: message.headers,
      timeout: publishTimeoutMs,
      ...(tail === undefined ? {} : { expect: { lastSubjectSequence: tail.sequence } }),
    });
  try {
    return (await publish()).seq;
  } catch (thrown) {
    if (thrown instanceof JetStreamApiError && thrown.code === wrongLastSequence) {
      logger.warn({ subject: message.subject }, "the broker's stream is not as this publisher left it");
      return undefined;
    }
    if (!isStreamMissing(thrown)) throw thrown;
    logger.warn({ subject: message.subject }, "the broker has no stream, making it again");
    await ensureStream();
    return tail === undefined ? (await publish()).seq : undefined;
  }
}

/** Without a stream nobody answers on the subject (503). */
function isStreamMissing(thrown: unknown): boolean {
  return (
    thrown instanceof Error &&
    /no responders|503|jetstream is not enabled/i.test(`${thrown.name} ${thrown.message} ${String(thrown.cause ?? "")}`)
  );
}

function toFault(cause: unknown): AppError {
  return new AppError("unavailable", "the broker did not acknowledge a batch of events", { work: "unknown", cause });
}
