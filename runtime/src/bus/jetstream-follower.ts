/**
 * Follows the stream from where a consumer is, and says when the stream cannot bring it further.
 *
 * The broker keeps no position for us: a short-lived consumer without acknowledgements starts at the first message that reaches beyond the
 * positions given, found by bisection. (Acknowledgements would be a second, weaker copy of the positions in the consumer's database.)
 * Messages are fetched in bounded portions, so a slow handler holds at most one portion back.
 */
import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  ReplayPolicy,
} from "@nats-io/jetstream";
import type { Logger } from "../telemetry/index.ts";
import type { FollowOptions } from "./event-bus.ts";
import { decodeMessage, throughOf } from "./jetstream-message.ts";
import { PartitionIntake } from "./partition-intake.ts";

const portionMax = 64;
const portionWaitMs = 5_000;
/** Empty portions in a row after which the stream is called quiet. */
const emptyPortionsMax = 2;
const idleConsumerMs = 60_000;
const nanosPerMs = 1_000_000;

export type StreamEnd =
  | { readonly kind: "aborted" }
  /** Events after the consumer's position are no longer in the stream. */
  | { readonly kind: "gap"; readonly partition: number }
  /** The stream holds nothing. */
  | { readonly kind: "empty" }
  /**
   * Nothing came for ten seconds. Mostly nothing happened; but a broker that lost its newest messages, takes no new ones or hangs says
   * nothing either, and only the log can tell.
   */
  | { readonly kind: "quiet" }
  /** The connection or the broker's consumer was lost; what was there may have been lost with it. */
  | { readonly kind: "interrupted"; readonly cause: unknown };

export type StreamEndAt = { readonly end: StreamEnd /** Where the consumer is now. */; readonly positions: readonly bigint[] };

export type JetStreamFollowerOptions = {
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  readonly stream: string;
  readonly logger: Logger;
  readonly onRedelivery: () => void;
  /** Calls back once at the next loss of the connection; the result takes the call-back away. */
  readonly onceDisconnected: (callback: () => void) => () => void;
};

/** Runs until one of the ends. Rejects for nothing: a fault is the end "interrupted". */
export async function followStream(options: JetStreamFollowerOptions, follow: FollowOptions): Promise<StreamEndAt> {
  const intake = new PartitionIntake({ ...follow, logger: options.logger, onRedelivery: options.onRedelivery });
  let end: StreamEnd;
  try {
    end = await takeInAll(options, follow, intake);
  } catch (cause) {
    end = follow.signal.aborted ? { kind: "aborted" } : { kind: "interrupted", cause };
  }
  await intake.finish();
  return { end: follow.signal.aborted ? { kind: "aborted" } : end, positions: intake.handled };
}

/** The position that the newest message reaches; undefined when the stream is empty, missing, or not reachable. */
export async function newestPosition({
  manager,
  stream,
}: Pick<JetStreamFollowerOptions, "manager" | "stream">): Promise<bigint | undefined> {
  try {
    const { state } = await manager.streams.info(stream);
    if (state.messages === 0) return undefined;
    return throughOf((await manager.streams.getMessage(stream, { seq: state.last_seq }))?.header);
  } catch {
    return undefined;
  }
}

async function takeInAll(options: JetStreamFollowerOptions, follow: FollowOptions, intake: PartitionIntake): Promise<StreamEnd> {
  const { manager, client, stream } = options;
  const startSequence = await firstSequenceBeyond(options, intake.seenMin);
  if (startSequence === undefined) return { kind: "empty" };
  const { name } = await manager.consumers.add(stream, {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: startSequence,
    ack_policy: AckPolicy.None,
    replay_policy: ReplayPolicy.Instant,
    inactive_threshold: idleConsumerMs * nanosPerMs,
    mem_storage: true,
    num_replicas: 1,
  });
  try {
    const consumer = await client.consumers.get(stream, name);
    let emptyPortions = 0;
    while (emptyPortions < emptyPortionsMax) {
      const messages = await consumer.fetch({ max_messages: portionMax, expires: portionWaitMs });
      const { end, isEmpty } = await takeInPortion(options, follow, intake, messages);
      if (end !== undefined) return end;
      emptyPortions = isEmpty ? emptyPortions + 1 : 0;
      await intake.whenRoom();
      if (follow.signal.aborted) return { kind: "aborted" };
    }
    return { kind: "quiet" };
  } finally {
    // Best effort, and nobody waits for it: over a lost connection it would take its whole time-out. An idle consumer goes away by itself.
    void manager.consumers.delete(stream, name).catch(() => {});
  }
}

type Portion = { readonly end: StreamEnd | undefined; readonly isEmpty: boolean };

async function takeInPortion(
  { logger, onceDisconnected }: JetStreamFollowerOptions,
  { signal, consumer }: FollowOptions,
  intake: PartitionIntake,
  messages: ConsumerMessages,
): Promise<Portion> {
  let isCut = false;
  let isEmpty = true;
  const ended = (end: StreamEnd): Portion => ({ end, isEmpty });
  const forgetDisconnect = onceDisconnected(() => {
    isCut = true;
    messages.stop();
  });
  const onAbort = (): void => messages.stop();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    // An abort from before the listener would go unheard until the portion's wait is over.
    if (signal.aborted) return ended({ kind: "aborted" });
    for await (const message of messages) {
      isEmpty = false;
      const offer = decodeMessage(message.data, message.headers);
      if (offer === undefined) logger.error({ consumer, subject: message.subject }, "a message that is no batch of events, skipped");
      else if (intake.offer(offer) === "gap") return ended({ kind: "gap", partition: offer.partition });
      await intake.whenRoom();
      if (signal.aborted) return ended({ kind: "aborted" });
    }
  } finally {
    forgetDisconnect();
    signal.removeEventListener("abort", onAbort);
    messages.stop();
  }
  return { end: isCut ? { kind: "interrupted", cause: new Error("the connection to the broker was lost") } : undefined, isEmpty };
}

/**
 * Sequence of the first message that reaches beyond `position`, the sequence after the last message when there is none, undefined for an
 * empty stream. Positions grow along the stream except where a batch was published twice; a wrong guess there is caught by the chain.
 */
async function firstSequenceBeyond({ manager, stream }: JetStreamFollowerOptions, position: bigint): Promise<number | undefined> {
  const { state } = await manager.streams.info(stream);
  if (state.messages === 0) return undefined;
  let low = state.first_seq;
  let high = state.last_seq + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const through = throughOf((await manager.streams.getMessage(stream, { seq: middle }))?.header);
    // A hole in the stream tells nothing: go on before it, at worst more is read than needed.
    if (through !== undefined && through <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
