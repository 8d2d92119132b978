/**
 * The bus on NATS JetStream: one stream, one subject per partition, kept in files.
 *
 * The stream is a cache of the payment log, bounded in bytes and age. When it is full the oldest messages go: a consumer that still needed
 * them notices and reads the log. (Refusing new messages instead would stop every consumer for the sake of the slowest one.)
 *
 * A broker that is away keeps no process from starting: publishing then fails with "unavailable" and following waits or reads the log.
 */
import { AppError } from "@florin/kernel";
import type { Logger, Metrics } from "../telemetry/index.ts";
import { systemTiming } from "../timing/index.ts";
import { EventGap, type EventPublisher, type EventSource, type FollowOptions } from "./event-bus.ts";
import { followStream, newestPosition, type StreamEndAt } from "./jetstream-follower.ts";
import { createJetStreamPublisher } from "./jetstream-publisher.ts";
import { type JetStreamSession, openJetStreamSession } from "./jetstream-session.ts";

const streamDefault = "FLORIN_PAYMENTS";
const bytesMaxDefault = 2 * 1_024 ** 3;
const retryDelayMs = 500;

export type JetStreamBusOptions = {
  readonly url: string;
  readonly logger: Logger;
  readonly stream?: string;
  /** Shown by the server. */
  readonly name?: string;
  readonly metrics?: Metrics;
  /** Size of the stream on disk (default 2 GiB). */
  readonly bytesMax?: number;
};

export type JetStreamBus = EventPublisher &
  EventSource & {
    /** Like `follow`, but comes back with the reason when the stream cannot bring the consumer further. */
    followStream(options: FollowOptions): Promise<StreamEndAt>;
    /** The position that the newest message reaches; undefined when the stream is empty, missing, or not reachable. */
    newestPosition(): Promise<bigint | undefined>;
    /** For readiness: a process whose broker is away is degraded, not down. */
    isConnected(): boolean;
  };

type Connected = { readonly session: JetStreamSession; readonly publish: EventPublisher["publish"] };

/**
 * Tries to connect once before it resolves, then goes on trying in the background; makes the stream when it is missing.
 *
 * `follow` of this source alone rejects with EventGap when the stream has lost what the consumer needs; use `createCatchingUpSource`.
 */
export async function createJetStreamBus(options: JetStreamBusOptions): Promise<JetStreamBus> {
  const stream = options.stream ?? streamDefault;
  const closing = new AbortController();
  let connected: Connected | undefined;
  const connectOnce = async (): Promise<void> => {
    try {
      connected = await open(options, stream);
      if (closing.signal.aborted) await connected.session.close();
    } catch (err) {
      options.logger.warn({ err }, "the broker cannot be reached, trying again");
    }
  };
  const connectLater = async (): Promise<void> => {
    while (connected === undefined && !closing.signal.aborted) {
      await systemTiming.sleep(retryDelayMs, closing.signal);
      if (!closing.signal.aborted) await connectOnce();
    }
  };
  await connectOnce();
  if (connected === undefined) void connectLater();

  const followConnected = async (follow: FollowOptions): Promise<StreamEndAt> => {
    if (connected === undefined) return { end: { kind: "interrupted", cause: notConnected() }, positions: follow.afterPositions };
    const onRedelivery = (): void => options.metrics?.count("bus_redelivered_total");
    return await followStream({ ...connected.session, stream, logger: options.logger, onRedelivery }, follow);
  };
  return {
    publish: async (batches, publishOptions) => {
      if (connected === undefined) throw notConnected();
      await connected.publish(batches, publishOptions);
    },
    followStream: followConnected,
    follow: (follow) => followAlone(followConnected, follow, options.logger),
    newestPosition: async () =>
      connected?.session.isConnected() === true ? await newestPosition({ manager: connected.session.manager, stream }) : undefined,
    isConnected: () => connected?.session.isConnected() === true,
    close: async () => {
      closing.abort();
      await connected?.session.close();
    },
  };
}

async function open(options: JetStreamBusOptions, stream: string): Promise<Connected> {
  const { url, logger, name = "florin", bytesMax = bytesMaxDefault } = options;
  const session = await openJetStreamSession({ url, name, stream, bytesMax, logger });
  const { publish } = createJetStreamPublisher({ client: session.client, logger, ensureStream: session.ensureStream });
  return { session, publish };
}

function notConnected(): AppError {
  return new AppError("unavailable", "there is no connection to the broker", { work: "not_done" });
}

async function followAlone(
  followConnected: (follow: FollowOptions) => Promise<StreamEndAt>,
  follow: FollowOptions,
  logger: Logger,
): Promise<void> {
  let positions = follow.afterPositions;
  while (!follow.signal.aborted) {
    const { end, positions: reached } = await followConnected({ ...follow, afterPositions: positions });
    positions = reached;
    if (end.kind === "gap") throw new EventGap(end.partition);
    if (end.kind === "interrupted") logger.warn({ consumer: follow.consumer, err: end.cause }, "broker stream interrupted");
    if (end.kind !== "quiet") await systemTiming.sleep(retryDelayMs, follow.signal);
  }
}
