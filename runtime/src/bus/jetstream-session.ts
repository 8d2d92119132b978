/** A connection to the broker with the stream made ready, and the news of its loss and return. */
import {
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { type ConnectionOptions, connect, type NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "../telemetry/index.ts";
import { subjectPrefix } from "./jetstream-message.ts";

const nanosPerMs = 1_000_000;
const ageMsMax = 72 * 60 * 60 * 1_000;
/** Repeated messages are recognised for this long; later ones are dropped by the consumers' positions. */
const duplicateWindowMs = 120_000;
const connectTimeoutMs = 5_000;
const reconnectDelayMs = 250;
const pingIntervalMs = 10_000;

export type JetStreamSessionOptions = {
  readonly url: string;
  readonly name: string;
  readonly stream: string;
  readonly bytesMax: number;
  readonly logger: Logger;
};

export type JetStreamSession = {
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  isConnected(): boolean;
  /** Calls back once at the next loss of the connection, or soon when it is lost already; the result takes the call-back away. */
  onceDisconnected(callback: () => void): () => void;
  /** Makes the stream again when it is gone. */
  ensureStream(): Promise<void>;
  close(): Promise<void>;
};

/** The client takes name and password beside the address only; in a URL it would leave them out without a word. */
function addressOf(text: string): Pick<ConnectionOptions, "servers" | "user" | "pass"> {
  const url = new URL(text);
  const credentials = url.username === "" ? {} : { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) };
  return { servers: `${url.protocol}//${url.host}`, ...credentials };
}

/** Throws when the server cannot be reached now. Once open, it reconnects by itself for ever. */
export async function openJetStreamSession(options: JetStreamSessionOptions): Promise<JetStreamSession> {
  const connection = await connect({
    ...addressOf(options.url),
    name: options.name,
    timeout: connectTimeoutMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectDelayMs,
    pingInterval: pingIntervalMs,
    maxPingOut: 2,
    // Every request would otherwise make an error in advance for the sake of its stack; ours name their cause without.
    noAsyncTraces: true,
  });
  try {
    const manager = await jetstreamManager(connection);
    const ensure = (): Promise<void> => ensureStream(manager, options);
    await ensure();
    const watch = watchConnection(connection, options.logger, ensure);
    return { manager, client: jetstream(connection), ...watch, ensureStream: ensure, close: () => connection.close() };
  } catch (thrown) {
    await connection.close();
    throw thrown;
  }
}

/** Bounded in bytes and age; the oldest messages go first. */
async function ensureStream(manager: JetStreamManager, { stream, bytesMax }: JetStreamSessionOptions): Promise<void> {
  const changeable = {
    subjects: [`${subjectPrefix}.*`],
    discard: DiscardPolicy.Old,
    max_age: ageMsMax * nanosPerMs,
    max_bytes: bytesMax,
    duplicate_window: duplicateWindowMs * nanosPerMs,
  };
  try {
    await manager.streams.info(stream);
  } catch {
    await manager.streams.add({
      name: stream,
      ...changeable,
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      num_replicas: 1,
    });
    return;
  }
  await manager.streams.update(stream, changeable);
}

function watchConnection(
  connection: NatsConnection,
  logger: Logger,
  onReconnected: () => Promise<void>,
): Pick<JetStreamSession, "isConnected" | "onceDisconnected"> {
  let isConnected = true;
  const callbacks = new Set<() => void>();
  const lost = (): void => {
    isConnected = false;
    for (const callback of [...callbacks]) callback();
    callbacks.clear();
  };
  const watch = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") {
        logger.warn({ server: status.server }, "broker connection lost");
        lost();
      } else if (status.type === "reconnect") {
        isConnected = true;
        logger.info({ server: status.server }, "broker connection is back");
        // The server may have come back without its files.
        await onReconnected().catch((err: unknown) => logger.warn({ err }, "the broker's stream could not be checked"));
      }
    }
    lost();
  };
  void watch();
  return {
    isConnected: () => isConnected && !connection.isClosed(),
    onceDisconnected: (callback) => {
      if (!isConnected) queueMicrotask(callback);
      else callbacks.add(callback);
      return () => void callbacks.delete(callback);
    },
  };
}
