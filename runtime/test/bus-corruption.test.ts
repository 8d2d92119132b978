/**
 * The broker's files are damaged or gone, while it runs and while it is down. The log is the truth: every event reaches every consumer once,
 * and the broker is used again as far as it works.
 */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { required } from "@florin/kernel";
import { expect, type TestContext, test } from "vitest";
import { createCatchingUpSource, createJetStreamBus, type JetStreamBus } from "../src/bus/index.ts";
import { createLogger } from "../src/telemetry/index.ts";
import { type TestNats, testNats, untilTrue } from "../src/testing/index.ts";
import { batchOf, Consumer, eventsFromTo } from "./bus-conformance.ts";
import { MemoryEventLog } from "./memory-event-log.ts";

const logger = createLogger({ service: "test", level: process.env["FLORIN_LOG_LEVEL"] ?? "silent" });
const flushEvents = 16;
const patienceMs = 45_000;

type Scene = {
  readonly nats: TestNats;
  readonly bus: JetStreamBus;
  readonly log: MemoryEventLog;
  follow(): Consumer;
  /** Commits events, and publishes them flush by flush as the relay does. False: the broker takes none. */
  write(first: number, last: number): Promise<boolean>;
  /** Starts the broker again where it was. */
  startAgain(): Promise<void>;
  close(): Promise<void>;
};

/** A broker of its own, so that the waiting of the tests is done side by side. */
async function openScene(): Promise<Scene | undefined> {
  let nats = await testNats();
  if (nats === undefined) return undefined;
  const bus = await createJetStreamBus({ url: nats.url, logger });
  const log = new MemoryEventLog();
  const consumers: Consumer[] = [];
  const first = nats;
  return {
    nats: first,
    bus,
    log,
    follow() {
      const consumer = new Consumer().start(createCatchingUpSource({ jetstream: bus, direct: { client: log.client }, logger }));
      consumers.push(consumer);
      return consumer;
    },
    write: (from, to) => write({ bus, log }, from, to),
    async startAgain() {
      nats = await testNats({ port: first.port, storeDirectory: first.storeDirectory });
      await untilTrue(() => bus.isConnected(), patienceMs);
    },
    async close() {
      for (const consumer of consumers) await consumer.stop();
      await bus.close();
      await nats?.stop("SIGKILL");
    },
  };
}

async function write({ bus, log }: Pick<Scene, "bus" | "log">, first: number, last: number): Promise<boolean> {
  log.append(eventsFromTo(first, last));
  for (let position = first; position <= last; position += flushEvents) {
    const through = Math.min(position + flushEvents - 1, last);
    const batches = eventsFromTo(position, through).map(({ partition, position: at }) => batchOf(partition, [at], BigInt(through)));
    const isTaken = await bus.publish(batches, { afterPosition: BigInt(position - 1) }).then(
      () => true,
      () => false,
    );
    if (!isTaken) return false;
  }
  return true;
}

/** The relay's way with a broker that takes nothing yet. The log has the events already. */
async function publishAgain({ bus }: Scene, first: number, last: number): Promise<void> {
  await untilTrue(() => write({ bus, log: new MemoryEventLog() }, first, last), patienceMs);
}

async function expectEach(consumer: Consumer, last: number): Promise<void> {
  await untilTrue(() => consumer.effects.length >= last, patienceMs);
  expect([...consumer.seen()].sort((left, right) => Number(left - right))).toEqual(eventsFromTo(1, last).map(({ position }) => position));
}

const storeOf = ({ storeDirectory }: TestNats): string => join(storeDirectory, "jetstream");

/** The files that hold messages, oldest first. */
function blocksOf(nats: TestNats): readonly string[] {
  const names = readdirSync(storeOf(nats), { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".blk")).map((name) => join(storeOf(nats), name));
}

function flipBit(file: string, share: number): void {
  const bytes = readFileSync(file);
  const at = Math.floor((bytes.length - 1) * share);
  bytes[at] = required(bytes[at], "a byte") ^ 0x10;
  writeFileSync(file, bytes);
}

const damages: Readonly<Record<string, (nats: TestNats) => void>> = {
  "a bit flipped in the middle of a block": (nats) => flipBit(required(blocksOf(nats)[0], "a block"), 0.5),
  "a bit flipped at the end of a block": (nats) => flipBit(required(blocksOf(nats).at(-1), "a block"), 0.99),
  "a block cut in half": (nats) => {
    const file = required(blocksOf(nats).at(-1), "a block");
    truncateSync(file, Math.floor(readFileSync(file).length / 2));
  },
  "the whole store wiped": (nats) => rmSync(storeOf(nats), { recursive: true, force: true }),
};

type Body = (scene: Scene) => Promise<void>;
const onScene = async (context: TestContext, body: Body): Promise<void> => {
  const scene = await openScene();
  if (scene === undefined) return context.skip("no nats-server here");
  try {
    await body(scene);
  } finally {
    await scene.close();
  }
};

test.concurrent.for(Object.keys(damages))(
  "%s while the broker is down: every consumer gets every event once, and the broker is used again",
  (name, context) =>
    onScene(context, async (scene) => {
      const { nats, log, bus } = scene;
      const early = scene.follow();
      expect(await scene.write(1, 320)).toBe(true);
      await expectEach(early, 320);
      await nats.stop("SIGKILL");
      required(damages[name], "damage")(nats);
      // Nobody publishes these for now: a broker that lost its newest messages has nothing to say.
      log.append(eventsFromTo(321, 352));
      await scene.startAgain();
      const late = scene.follow();
      for (const consumer of [early, late]) await expectEach(consumer, 352);
      log.append(eventsFromTo(353, 384));
      await publishAgain(scene, 353, 384);
      for (const consumer of [early, late]) await expectEach(consumer, 384);
      expect(await bus.newestPosition()).toBe(384n);
    }),
);

test.concurrent.for(Object.keys(damages))(
  "%s while the broker runs: every event comes once, whether or not it takes events any more",
  (name, context) =>
    onScene(context, async (scene) => {
      const early = scene.follow();
      expect(await scene.write(1, 320)).toBe(true);
      await expectEach(early, 320);
      required(damages[name], "damage")(scene.nats);
      await scene.write(321, 352);
      const late = scene.follow();
      for (const consumer of [early, late]) await expectEach(consumer, 352);
    }),
);

test.concurrent("a broker that hangs holds nobody up for long, and nothing comes twice afterwards", (context) =>
  onScene(context, async (scene) => {
    const { nats, log } = scene;
    const consumer = scene.follow();
    expect(await scene.write(1, 64)).toBe(true);
    await expectEach(consumer, 64);
    process.kill(nats.pid, "SIGSTOP");
    log.append(eventsFromTo(65, 128));
    try {
      await expectEach(consumer, 128);
    } finally {
      process.kill(nats.pid, "SIGCONT");
    }
    log.append(eventsFromTo(129, 160));
    await publishAgain(scene, 129, 160);
    await expectEach(consumer, 160);
  }));

test.concurrent("a broker that is up and takes no events holds nobody up for long", (context) =>
  onScene(context, async ({ log, write, follow }) => {
    const consumer = follow();
    expect(await write(1, 64)).toBe(true);
    await expectEach(consumer, 64);
    log.append(eventsFromTo(65, 128));
    await expectEach(consumer, 128);
  }));
