/** The books behind a real broker: what it carries is posted, what it lost is read from the log. */
import { create } from "@bufbuild/protobuf";
import { EventBatchSchema, SubscribeResponseSchema } from "@florin/gen/events/v1/events";
import { createCatchingUpSource, createJetStreamBus, type EventLogClient } from "@florin/runtime/bus";
import { connectPostgres } from "@florin/runtime/postgres";
import { createLogger } from "@florin/runtime/telemetry";
import { type TestNats, type TestPostgres, testNats, testPostgres, untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPoster } from "../src/app/post-batches.ts";
import { readTrialBalance } from "../src/store/books.ts";
import { followLog } from "../src/workers/follow-log.ts";
import { batches, fullLife, makeBooks, type TestBooks } from "./books.ts";

const logger = createLogger({ service: "ledger-test", level: "silent" });
let server: TestPostgres;
let nats: TestNats | undefined;
let books: TestBooks;

beforeAll(async () => {
  nats = await testNats();
  server = await testPostgres();
  books = await makeBooks(server, "florin_ledger_jetstream");
});
afterAll(async () => {
  await books.close();
  await server.stop();
  await nats?.stop();
});

test("events that the broker carries are posted, and those it never had are read from the log", async (context) => {
  if (nats === undefined) return context.skip("no nats-server here");
  const lives = Array.from({ length: 20 }, (_, number) => fullLife(number));
  const whole = batches(lives, 3);
  const events = whole.flatMap((batch) => batch.events).sort((left, right) => (left.position < right.position ? -1 : 1));
  const newest = events.at(-1)?.position ?? 0n;
  const log: EventLogClient = {
    async *subscribe({ afterPosition }, { signal }) {
      const fresh = events.filter(({ position }) => position > afterPosition);
      yield create(SubscribeResponseSchema, { batch: create(EventBatchSchema, { throughPosition: newest, events: fresh }) });
      while (!signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        yield create(SubscribeResponseSchema, { batch: create(EventBatchSchema, { throughPosition: newest, events: [] }) });
      }
    },
  };
  const broker = await createJetStreamBus({ url: nats.url, logger });
  const leaderSession = connectPostgres({ url: books.appUrl, name: "lead", connectionsMax: 1 });
  // The first third of each partition was published before the broker lost it.
  const published = whole.filter((_, index) => index % 3 !== 0);
  const follower = followLog({
    source: createCatchingUpSource({ jetstream: broker, direct: { client: log }, logger }),
    sql: books.sql,
    leaderSession,
    poster: createPoster(books.sql),
    onPosted: () => {},
    logger,
  });
  try {
    for (const batch of published) await broker.publish([batch]);
    await untilTrue(async () => {
      const [row] = await books.sql<{ count: bigint }[]>`SELECT count(*) AS count FROM transfers`;
      return row?.count === 120n;
    }, 20_000);
    const { lines } = await readTrialBalance(books.sql);
    expect(lines.map(({ debits, credits }) => debits - credits)).toEqual([0n, 0n]);
  } finally {
    await follower.stop();
    await leaderSession.end({ timeout: 5 });
    await broker.close();
  }
});
