import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { JetStreamApiError, type JetStreamClient, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCatchingUpSource, createJetStreamBus, EventGap, type EventSource, type JetStreamBus } from "../src/bus/index.ts";
import { createJetStreamPublisher } from "../src/bus/jetstream-publisher.ts";
import { createLogger } from "../src/telemetry/index.ts";
import { type TestNats, testNats, untilTrue } from "../src/testing/index.ts";
import { batchOf, Consumer, eventSourceConformance, eventsFromTo, noPositions, type TestEvent, type World } from "./bus-conformance.ts";
import { MemoryEventLog } from "./memory-event-log.ts";

const logger = createLogger({ service: "test", level: process.env["FLORIN_LOG_LEVEL"] ?? "silent" });
const stream = "FLORIN_PAYMENTS";
type Manager = Awaited<ReturnType<typeof jetstreamManager>>;
let server = await testNats();

/** What the relay does: one message per partition and flush. */
async function publish(bus: JetStreamBus, events: readonly TestEvent[], afterPosition?: bigint): Promise<void> {
  const through = events.at(-1)?.position ?? 0n;
  const partitions = [...new Set(events.map(({ partition }) => partition))];
  const batches = partitions.map((partition) =>
    batchOf(
      partition,
      events.filter((event) => event.partition === partition).map(({ position }) => position),
      through,
    ),
  );
  await bus.publish(batches, afterPosition === undefined ? {} : { afterPosition });
}

/** JetStream error code "stream not found". */
const streamNotFound = 10_059;

/**
 * A stream that stays would give the next test the messages of the one before. The server moves a deleted stream's folder aside and removes it in
 * the background; when the one deleted before is still there it cannot move the next, says that it has deleted it, and a stream of that name
 * finds the old messages again (nats-server 2.15.2, filestore.go, Delete).
 */
async function deleteStream({ storeDirectory }: TestNats, manager: Manager): Promise<void> {
  const aside = `${storeDirectory}/jetstream/$G/streams/.${stream}`;
  await untilTrue(() => !existsSync(aside), 10_000);
  try {
    await manager.streams.delete(stream);
  } catch (thrown) {
    if (!(thrown instanceof JetStreamApiError) || thrown.code !== streamNotFound) throw thrown;
  }
}

async function withManager<T>(url: string, work: (manager: Manager) => Promise<T>): Promise<T> {
  const connection = await connect({ servers: url });
  try {
    return await work(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}

describe.skipIf(server === undefined)("JetStream", () => {
  const running = (): TestNats => {
    if (server === undefined) throw new Error("skipped without a server");
    return server;
  };
  /** Stops the server as a crash would and starts it again where it was; `wipe` takes its files away in between. */
  const restart = async (options: { wipe?: boolean } = {}): Promise<void> => {
    const { port, storeDirectory, stop } = running();
    await stop("SIGKILL");
    if (options.wipe === true) await rm(`${storeDirectory}/jetstream`, { recursive: true, force: true });
    server = await testNats({ port, storeDirectory });
  };
  /** A server that did not take the request is asked again. */
  const withoutStream = (): Promise<void> => retrying(() => withManager(running().url, (manager) => deleteStream(running(), manager)));
  const freshBus = async (): Promise<JetStreamBus> => {
    await withoutStream();
    return createJetStreamBus({ url: running().url, logger });
  };

  beforeAll(() => {
    expect(running().url).toContain("nats://");
  });

  afterAll(async () => {
    await running().stop();
  });

  /** `wrap` makes the source that is tested from the bus and the log it was published from. */
  const world = async (wrap: (bus: JetStreamBus, log: MemoryEventLog) => EventSource): Promise<World> => {
    const bus = await freshBus();
    const log = new MemoryEventLog();
    let published = 0n;
    return {
      source: wrap(bus, log),
      append: async (events) => {
        log.append(events);
        const after = published;
        published = events.at(-1)?.position ?? published;
        await retrying(() => publish(bus, events, after));
      },
      repeat: () => publish(bus, log.events, 0n),
      cut: () => restart(),
      close: () => bus.close(),
    };
  };

  describe("the JetStream source alone", () => {
    eventSourceConformance(() => world((bus) => bus));
  });

  describe("the catching-up source", () => {
    eventSourceConformance(() => world((bus, log) => createCatchingUpSource({ jetstream: bus, direct: { client: log.client }, logger })));

    const scene = async () => {
      const bus = await freshBus();
      const log = new MemoryEventLog();
      const source = createCatchingUpSource({ jetstream: bus, direct: { client: log.client }, logger });
      const append = (events: readonly TestEvent[]): void => log.append(events);
      return { bus, log, source, append };
    };

    test("a wiped stream loses no event, and the consumer returns to the broker", async () => {
      const { bus, log, source, append } = await scene();
      append(eventsFromTo(1, 40));
      await publish(bus, eventsFromTo(1, 40), 0n);
      const consumer = new Consumer().start(source);
      await untilTrue(() => consumer.effects.length === 40, 10_000);
      append(eventsFromTo(41, 80));
      await restart({ wipe: true });
      await untilTrue(() => consumer.effects.length === 80, 20_000);
      append(eventsFromTo(81, 112));
      await retrying(() => publish(bus, eventsFromTo(81, 112)));
      await untilTrue(() => consumer.effects.length === 112, 20_000);
      await untilTrue(async () => (await bus.newestPosition()) === 112n, 10_000);
      const subscriptions = log.subscriptions;
      await sleep(1_500);
      // Only the broker gets these: they arrive because the consumer follows it again.
      await publish(bus, eventsFromTo(113, 128));
      await untilTrue(() => consumer.effects.length === 128, 10_000);
      expect(log.subscriptions).toBe(subscriptions);
      await consumer.stop();
      await bus.close();
    });

    test("a purged stream is noticed by the gap and the log fills it", async () => {
      const { bus, source, append } = await scene();
      append(eventsFromTo(1, 96));
      await publish(bus, eventsFromTo(1, 64), 0n);
      await withManager(running().url, (manager) => manager.streams.purge(stream));
      await publish(bus, eventsFromTo(65, 96));
      const consumer = new Consumer().start(source);
      await untilTrue(() => consumer.effects.length === 96, 10_000);
      await consumer.stop();
      await bus.close();
    });

    test("a message that the broker acknowledged and lost is noticed at the next one", async () => {
      const { bus, source, append } = await scene();
      append(eventsFromTo(1, 16));
      await publish(bus, eventsFromTo(1, 16), 0n);
      const consumer = new Consumer().start(source);
      await untilTrue(() => consumer.effects.length === 16, 10_000);
      append(eventsFromTo(17, 48));
      consumer.before = () => {
        throw new Error("not yet");
      };
      await publish(bus, eventsFromTo(17, 32));
      await withManager(running().url, async (manager) => {
        const { state } = await manager.streams.info(stream);
        await manager.streams.deleteMessage(stream, state.last_seq);
      });
      consumer.before = () => {};
      await publish(bus, eventsFromTo(33, 48));
      await untilTrue(() => consumer.effects.length === 48, 15_000);
      await consumer.stop();
      await bus.close();
    });

    test("a broker that is away at the start does not keep anybody from starting, and is used once it is there", async () => {
      const { port, storeDirectory, stop } = running();
      await withoutStream();
      await stop();
      const bus = await createJetStreamBus({ url: running().url, logger });
      expect(bus.isConnected()).toBe(false);
      await expect(publish(bus, eventsFromTo(1, 16))).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
      const log = new MemoryEventLog();
      const consumer = new Consumer().start(createCatchingUpSource({ jetstream: bus, direct: { client: log.client }, logger }));
      log.append(eventsFromTo(1, 16));
      await untilTrue(() => consumer.effects.length === 16, 10_000);
      server = await testNats({ port, storeDirectory });
      await untilTrue(() => bus.isConnected(), 10_000);
      log.append(eventsFromTo(17, 32));
      await publish(bus, eventsFromTo(17, 32));
      await untilTrue(() => consumer.effects.length === 32, 10_000);
      await consumer.stop();
      await bus.close();
    });

    test("without any broker the log serves alone", async () => {
      const { bus, source, append } = await scene();
      await bus.close();
      const consumer = new Consumer().start(source);
      append(eventsFromTo(1, 32));
      await untilTrue(() => consumer.effects.length === 32, 10_000);
      await consumer.stop();
    });
  });

  test("without the log a gap is reported and nothing is skipped", async () => {
    const bus = await freshBus();
    await publish(bus, eventsFromTo(17, 32));
    const consumer = new Consumer().start(bus);
    await expect(consumer.following).rejects.toBeInstanceOf(EventGap);
    expect(consumer.effects).toHaveLength(0);
    await bus.close();
  });

  test("a batch published twice is stored once", async () => {
    const bus = await freshBus();
    await publish(bus, eventsFromTo(1, 16), 0n);
    await publish(bus, eventsFromTo(1, 16), 0n);
    const messages = await withManager(running().url, async (manager) => (await manager.streams.info(stream)).state.messages);
    expect(messages).toBe(16);
    await bus.close();
  });

  test("two publishers in turn never claim an unbroken chain that is none", async () => {
    const first = await freshBus();
    const second = await createJetStreamBus({ url: running().url, logger });
    await first.publish([batchOf(1, [1n])], { afterPosition: 0n });
    await second.publish([batchOf(1, [17n])]);
    // The first still believes that position 1 is the newest: its message must not say that it follows on position 1.
    await first.publish([batchOf(1, [33n])]);
    const afters = await withManager(running().url, async (manager) => {
      const heads = [1, 2, 3].map(async (seq) => (await manager.streams.getMessage(stream, { seq }))?.header.get("Florin-After"));
      return Promise.all(heads);
    });
    expect(afters).toEqual(["0", "16", "32"]);
    await first.close();
    await second.close();
  });

  test("the trace context of a publish goes into the message header", async () => {
    const bus = await freshBus();
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await bus.publish([batchOf(1, [1n])], { afterPosition: 0n, traceparent });
    const header = await withManager(running().url, async (manager) => (await manager.streams.getMessage(stream, { seq: 1 }))?.header);
    expect(header?.get("traceparent")).toBe(traceparent);
    expect(header?.get("Nats-Msg-Id")).toBe("1:1-1");
    await bus.close();
  });

  test("overlapping publishes keep the order of a partition", async () => {
    const bus = await freshBus();
    const rounds = Array.from({ length: 20 }, (_, index) => BigInt(index * 16 + 1));
    await Promise.all(rounds.map((position) => bus.publish([batchOf(1, [position])], { afterPosition: 0n })));
    const consumer = new Consumer(noPositions).start(bus);
    await untilTrue(() => consumer.effects.length === 20, 10_000);
    expect(consumer.seen()).toEqual(rounds);
    await consumer.stop();
    await bus.close();
  });

  test("a batch larger than a message is published in parts", async () => {
    const bus = await freshBus();
    const batch = batchOf(2, [2n, 18n, 34n]);
    for (const event of batch.events) event.body = new Uint8Array(500_000);
    await bus.publish([batch], { afterPosition: 0n });
    const consumer = new Consumer().start(bus);
    await untilTrue(() => consumer.effects.length === 3, 10_000);
    expect(await bus.newestPosition()).toBe(34n);
    await consumer.stop();
    await bus.close();
  });

  test("a part that the broker loses before the next one came is a gap, and nothing is skipped", async () => {
    const bus = await freshBus();
    const connection = await connect({ servers: running().url });
    try {
      const client = jetstream(connection);
      const manager = await jetstreamManager(connection);
      let sent = 0;
      const publish: JetStreamClient["publish"] = async (...message) => {
        const acknowledged = await client.publish(...message);
        sent += 1;
        if (sent === 1) await manager.streams.deleteMessage(stream, acknowledged.seq);
        return acknowledged;
      };
      const publisher = createJetStreamPublisher({ client: { ...client, publish }, logger, ensureStream: async () => {} });
      const batch = batchOf(2, [2n, 18n]);
      for (const event of batch.events) event.body = new Uint8Array(500_000);
      await publisher.publish([batch], { afterPosition: 0n });
      expect(sent).toBe(2);
      const consumer = new Consumer().start(bus);
      let end: unknown;
      consumer.following.catch((thrown: unknown) => {
        end = thrown;
      });
      await untilTrue(() => end !== undefined || consumer.effects.length > 0, 10_000);
      expect(consumer.effects).toEqual([]);
      expect(end).toBeInstanceOf(EventGap);
    } finally {
      await connection.close();
      await bus.close();
    }
  });
});

/** A relay publishes again until the broker is back. */
async function retrying(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (thrown) {
      if (attempt === 40) throw thrown;
      await sleep(250);
    }
  }
}
