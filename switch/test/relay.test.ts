/**
 * The relay against a real JetStream: whatever happens to it and to the broker, every row of the log has its effect once and in order, and
 * nothing is published past a row that may still appear.
 */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { type EventBatch, EventLogService, PaymentEventSchema } from "@florin/gen/events/v1/events";
import { makeId, required } from "@florin/kernel";
import {
  createCatchingUpSource,
  createJetStreamBus,
  type EventSource,
  type JetStreamBus,
  partitionCount,
  partitionOf,
} from "@florin/runtime/bus";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { connectUnary, type RpcServer, startRpcServer } from "@florin/runtime/rpc";
import { type TestNats, testNats, untilTrue } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createOrAuthorize } from "../src/app/authorize-payment.ts";
import { capturePayment } from "../src/app/move-money.ts";
import type { Parts } from "../src/app/parts.ts";
import { createPayment, type Transition } from "../src/domain/payment/index.ts";
import { sampleCreate, sampleOrigin } from "../src/domain/payment/samples.ts";
import { createEventLogService } from "../src/rpc/event-log-service.ts";
import { createLogTail, type LogTail } from "../src/store/log-tail.ts";
import { createLogWriter } from "../src/store/log-writer.ts";
import { relay } from "../src/workers/relay.ts";
import { deleteStream, type StoredMessage, storedMessages } from "./plain-nats.ts";
import { createCommand, keyed, logger, newCaller, openStage, paymentOf, type Stage, telemetry } from "./stage.ts";
import { startSwitch } from "./switch-process.ts";

let stage: Stage;
let replicas: readonly [Parts, Parts];
let owner: Sql;
let log: RpcServer;
let nats = await testNats();
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  stage = await openStage({ withRedis: false });
  replicas = [stage.parts, await stage.replica()];
  owner = connectPostgres({ url: stage.ownerUrl, name: "owner", connectionsMax: 2 });
  log = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    tls: { kind: "off" },
    services: [createEventLogService({ tail: createLogTail(stage.sql), logger })],
    policy: {},
    allowInsecure: true,
    logger,
  });
});
afterAll(async () => {
  await log.drain(1_000);
  await owner.end({ timeout: 5 });
  await stage.stop();
  await nats?.stop();
});
beforeEach(async () => {
  if (nats !== undefined) await deleteStream(nats.port);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function running(): TestNats {
  return required(nats, "a broker; without one the suite is skipped");
}

async function openBus(): Promise<JetStreamBus> {
  const bus = await createJetStreamBus({ url: running().url, logger });
  closers.push(() => bus.close());
  return bus;
}

type RelayBus = Pick<JetStreamBus, "publish" | "newestPosition" | "isConnected">;

/** A relay of its own process, as far as the log and the broker can tell. `whenRead` resolves after so many more looks at the log. */
function startRelay(bus: RelayBus): { whenRead(times: number): Promise<void> } {
  const tail = createLogTail(stage.sql);
  let reads = 0;
  const counted: LogTail = {
    look: tail.look,
    get decided() {
      return tail.decided;
    },
    read(afterPosition, limit) {
      reads += 1;
      return tail.read(afterPosition, limit);
    },
  };
  const stopping = new AbortController();
  const ended = relay({ tail: counted, bus, logger, metrics: telemetry.metrics }, stopping.signal);
  closers.push(async () => {
    stopping.abort();
    await ended;
  });
  return {
    async whenRead(times) {
      const goal = reads + times;
      await untilTrue(() => reads >= goal, 5_000);
    },
  };
}

/** A relay that is killed by its own `publish`: a call that never ends, and nobody waits for it. */
function startDyingRelay(bus: JetStreamBus, publish: JetStreamBus["publish"]): void {
  const stopping = new AbortController();
  closers.push(() => stopping.abort());
  void relay({ tail: createLogTail(stage.sql), bus: { ...bus, publish }, logger, metrics: telemetry.metrics }, stopping.signal);
}

const never = new Promise<never>(() => {});

type Row = { readonly position: bigint; readonly paymentId: string; readonly version: number };

/** A consumer as ours are: positions and effects together, and what lies before the position has had its effect. */
function startConsumer(source: EventSource) {
  const positions = new Array<bigint>(partitionCount).fill(0n);
  const effects: Row[] = [];
  const stopping = new AbortController();
  const following = source.follow({
    consumer: "test",
    afterPositions: positions,
    async handle(batch) {
      for (const { position, body } of batch.events) {
        if (position <= required(positions[batch.partition], "partition")) continue;
        const { payment } = fromBinary(PaymentEventSchema, body);
        effects.push({ position, paymentId: payment?.id ?? "", version: payment?.version ?? 0 });
      }
      positions[batch.partition] = batch.throughPosition;
    },
    signal: stopping.signal,
  });
  closers.push(async () => {
    stopping.abort();
    await following;
  });
  return effects;
}

/** How consumers follow: the broker, and the log itself where the broker has lost something. `isOnBroker`: the log is not read now. */
function catchingUp(bus: JetStreamBus): EventSource & { isOnBroker(): boolean; gaps(): number } {
  const client = connectUnary(EventLogService, { address: `127.0.0.1:${log.port}`, tls: { kind: "off" }, logger });
  closers.push(() => client.close());
  let subscriptions = 0;
  const subscribe: typeof client.subscribe = async function* (request, options) {
    subscriptions += 1;
    try {
      yield* client.subscribe(request, options);
    } finally {
      subscriptions -= 1;
    }
  };
  let gaps = 0;
  const count = (name: string): void => {
    if (name === "bus_gaps_total") gaps += 1;
  };
  const metrics = { ...telemetry.metrics, count } as typeof telemetry.metrics;
  const source = createCatchingUpSource({ jetstream: bus, direct: { client: { subscribe } }, logger, metrics });
  return { follow: source.follow, isOnBroker: () => subscriptions === 0, gaps: () => gaps };
}

const inOrder = (left: { position: bigint }, right: { position: bigint }) => (left.position < right.position ? -1 : 1);

async function logRows(): Promise<readonly Row[]> {
  const rows = await stage.sql<{ position: bigint; body: Uint8Array }[]>`SELECT position, body FROM payment_events ORDER BY position`;
  return rows.map(({ position, body }) => {
    const { payment } = fromBinary(PaymentEventSchema, body);
    return { position, paymentId: payment?.id ?? "", version: payment?.version ?? 0 };
  });
}

const newestRow = async () => (await logRows()).at(-1)?.position ?? 0n;

/** Every row of the log, once, each payment's in its order. */
async function expectAllOnce(effects: readonly Row[]): Promise<void> {
  const rows = await logRows();
  await untilTrue(() => effects.length >= rows.length, 20_000);
  expect(effects.toSorted(inOrder)).toEqual(rows);
  const reached = new Map<string, number>();
  for (const { paymentId, version } of effects) {
    expect(version).toBe((reached.get(paymentId) ?? 0) + 1);
    reached.set(paymentId, version);
  }
}

/** Payments authorized on one replica and captured in parts on both at once: rows of one payment from two writers. */
async function write(payments: number): Promise<void> {
  const one = async (index: number) => {
    const command = createCommand();
    const [here, there] = index % 2 === 0 ? replicas : replicas.toReversed();
    const paymentId = paymentOf(await createOrAuthorize(required(here, "replica"), command)).id;
    const captureOn = (parts: Parts | undefined) =>
      capturePayment(required(parts, "replica"), { caller: command.caller, ...keyed(), paymentId, amount: 1_000n });
    await Promise.all([captureOn(here), captureOn(there)]);
  };
  await Promise.all(Array.from({ length: payments }, (_, index) => one(index)));
}

/** A row to append, of a payment in this partition. */
function rowIn(partition: number): Transition {
  const made = makeId("payment", Date.now(), randomBytes(10));
  const id = `${made.slice(0, -1)}${"0123456789abcdefghjkmnpqrstvwxyz".charAt(partition)}`;
  expect(partitionOf(id)).toBe(partition);
  const command = sampleCreate({ id, merchantId: newCaller().merchantId, merchantReference: "" });
  return createPayment(command, { nowMs: Date.now(), origin: sampleOrigin });
}

const eventOf = (body: Uint8Array | undefined) => fromBinary(PaymentEventSchema, required(body, "an event"));
const holds = (batch: EventBatch, { payment }: Transition) => batch.events.some(({ body }) => eventOf(body).payment?.id === payment.id);
const isStored = async (row: Transition) => (await storedMessages(running().port)).some(({ batch }) => holds(batch, row));

describe.skipIf(nats === undefined)("the relay", () => {
  test("publishes what two replicas write at once: every row once, in order, a message id for each", async () => {
    const bus = await openBus();
    startRelay(bus);
    const effects = startConsumer(catchingUp(bus));
    for (let round = 0; round < 5; round++) await write(20);
    await expectAllOnce(effects);
    // A consumer may have read the log itself: the relay publishes every row all the same.
    const stored = (messages: readonly StoredMessage[]) =>
      new Set(messages.flatMap(({ batch }) => batch.events.map(({ position }) => position)));
    await untilTrue(async () => stored(await storedMessages(running().port)).size === effects.length, 5_000);
    const messages = await storedMessages(running().port);
    const ids = messages.map(({ headers }) => headers.get("Nats-Msg-Id"));
    expect(new Set(ids).size).toBe(ids.length);
    for (const { batch, headers, subject } of messages) {
      expect(subject).toBe(`florin.payments.v1.${batch.partition}`);
      expect(headers.get("Nats-Msg-Id")).toBe(`${batch.partition}:${batch.events[0]?.position}-${batch.throughPosition}`);
      expect(batch.events.map(({ position }) => position)).toEqual(batch.events.toSorted(inOrder).map(({ position }) => position));
    }
  });

  test("gives each message the trace of its first event", async () => {
    startRelay(await openBus());
    const has = async (paymentId: string) =>
      (await storedMessages(running().port)).some(({ batch }) => batch.events.some(({ body }) => eventOf(body).payment?.id === paymentId));
    // What other tests left in the log is published by then, and shares no message with what follows.
    const before = paymentOf(await createOrAuthorize(stage.parts, createCommand()));
    await untilTrue(() => has(before.id), 5_000);
    const traceparent = `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;
    const caller = newCaller();
    const origin = { ...caller.origin, traceparent };
    const payment = paymentOf(await createOrAuthorize(stage.parts, createCommand({ caller: { ...caller, origin } })));
    const mine = async () =>
      (await storedMessages(running().port)).filter(({ batch }) => eventOf(batch.events[0]?.body).payment?.id === payment.id);
    await untilTrue(async () => (await mine()).length > 0, 5_000);
    for (const { headers } of await mine()) expect(headers.get("traceparent")).toBe(traceparent);
    for (const { headers, batch } of await storedMessages(running().port))
      expect(headers.get("traceparent") ?? "").toBe(eventOf(batch.events[0]?.body).traceparent);
  });

  test("a partition that has been quiet since the relay began is no gap to a consumer that has read everything", async () => {
    const bus = await openBus();
    const begin = await newestRow();
    // As if the broker held everything so far: what comes now are this relay's first messages.
    startRelay({ ...bus, isConnected: bus.isConnected, newestPosition: async () => begin + 4_096n });
    const source = catchingUp(bus);
    const effects = startConsumer(source);
    // The consumer looks at the broker when the log tells something.
    await untilTrue(async () => {
      await stage.parts.log.append(rowIn(3), undefined);
      await expectAllOnce(effects);
      return source.isOnBroker();
    }, 20_000);
    for (const partition of [4, 5, 6, 3, 7]) {
      await stage.parts.log.append(rowIn(partition), undefined);
      await expectAllOnce(effects);
    }
    expect([source.gaps(), source.isOnBroker()]).toEqual([0, true]);
  });

  test("does not publish past a position that is drawn and not decided", async () => {
    const bus = await openBus();
    const relaying = startRelay(bus);
    const effects = startConsumer(catchingUp(bus));
    await write(2);
    await expectAllOnce(effects);
    const before = effects.length;
    const open = rowIn(3);
    const later = [rowIn(3), rowIn(4)];
    await stage.sql.begin(async (transaction) => {
      const slow = createLogWriter({ sql: transaction as unknown as Sql, metrics: telemetry.metrics });
      const drawn = await slow.append(open, undefined);
      for (const row of later) await stage.parts.log.append(row, undefined);
      // In each of these rounds the later rows are there to be seen.
      await relaying.whenRead(5);
      const newest = required(await bus.newestPosition(), "messages");
      expect([drawn.kind, drawn.kind === "appended" && newest < drawn.position]).toEqual(["appended", true]);
      expect(effects).toHaveLength(before);
    });
    await expectAllOnce(effects);
    const ids = effects.slice(before).toSorted(inOrder);
    expect(ids.map(({ paymentId }) => paymentId)).toEqual([open, ...later].map(({ payment }) => payment.id));
  });

  test("killed with a flush half published, another publishes the rest, however wide the flush was", async () => {
    const bus = await openBus();
    const source = catchingUp(bus);
    const [held, early, lost, late] = [rowIn(5), rowIn(2), rowIn(1), rowIn(2)];
    let letGo = () => {};
    const appended = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let isHeld = false;
    const dead = new Promise<void>((resolve) => {
      startDyingRelay(bus, async (batches, options) => {
        isHeld = batches.some((batch) => holds(batch, held));
        if (isHeld) await appended;
        const others = batches.filter((batch) => !holds(batch, lost));
        if (others.length > 0) await bus.publish(others, options);
        if (others.length === batches.length) return;
        await untilTrue(() => isStored(early), 5_000);
        resolve();
        return never;
      });
    });
    await write(5);
    await untilTrue(async () => ((await bus.newestPosition()) ?? 0n) >= (await newestRow()), 5_000);
    const effects = startConsumer(source);
    await expectAllOnce(effects);
    await untilTrue(source.isOnBroker, 5_000);
    // While one flush is under way, the next one gathers.
    await stage.parts.log.append(held, undefined);
    await untilTrue(() => isHeld, 5_000);
    for (const row of [early, lost]) await stage.parts.log.append(row, undefined);
    // As a storm of aborted batches leaves it: positions drawn, and no rows.
    await stage.sql`SELECT max(nextval('payment_events_position')) FROM generate_series(1, 10000)`;
    await stage.parts.log.append(late, undefined);
    letGo();
    await dead;
    startRelay(bus);
    await untilTrue(() => isStored(lost), 5_000);
    await expectAllOnce(effects);
  });

  test("killed after a flush and before it knew, another repeats it, and nobody acts twice", async () => {
    const bus = await openBus();
    const effects = startConsumer(catchingUp(bus));
    await write(10);
    const dead = new Promise<void>((resolve) => {
      startDyingRelay(bus, async (batches, options) => {
        await bus.publish(batches, options);
        resolve();
        return never;
      });
    });
    await dead;
    await write(10);
    startRelay(bus);
    await expectAllOnce(effects);
  });

  describe("and a broker that", () => {
    /** Kills it as a crash would and, after `meanwhile`, starts it where it was. */
    const away = async (o: { isWiped: boolean }, meanwhile: () => Promise<void>) => {
      const { port, storeDirectory, stop } = running();
      await stop("SIGKILL");
      if (o.isWiped) await rm(`${storeDirectory}/jetstream`, { recursive: true, force: true });
      await meanwhile();
      nats = await testNats({ port, storeDirectory });
    };
    const scene = async () => {
      const bus = await openBus();
      startRelay(bus);
      const effects = startConsumer(catchingUp(bus));
      await write(10);
      await expectAllOnce(effects);
      return { bus, effects };
    };
    test("is away for a while gets what was written meanwhile", async () => {
      const { bus, effects } = await scene();
      await away({ isWiped: false }, () => write(10));
      await expectAllOnce(effects);
      await untilTrue(async () => ((await bus.newestPosition()) ?? 0n) >= (await newestRow()), 10_000);
    });

    test("comes back empty costs no row: who followed and who comes new read the log for what is gone", async () => {
      const { bus, effects } = await scene();
      await away({ isWiped: true }, async () => {});
      await untilTrue(bus.isConnected, 5_000);
      expect(await storedMessages(running().port)).toEqual([]);
      await write(10);
      await expectAllOnce(effects);
      await untilTrue(async () => ((await bus.newestPosition()) ?? 0n) >= (await newestRow()), 10_000);
      await expectAllOnce(startConsumer(catchingUp(bus)));
    });
  });

  test("a switch killed while it relays is followed by another within seconds, and no row is missing or doubled", async () => {
    const leader = await startSwitch(stage, { natsUrl: running().url });
    const bus = await openBus();
    const effects = startConsumer(catchingUp(bus));
    await write(10);
    await untilTrue(() => effects.length > 0, 10_000);
    const standby = await startSwitch(stage, { natsUrl: running().url });
    closers.push(() => standby.stop());
    const before = effects.length;
    const writing = write(60);
    await untilTrue(() => effects.length > before, 10_000);
    await leader.stop("SIGKILL");
    await writing;
    await expectAllOnce(effects);
  });
});
