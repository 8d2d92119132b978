import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type EventBatch, EventBatchSchema } from "@florin/gen/events/v1/events";
import { required } from "@florin/kernel";
import type { EventSource, FollowOptions } from "@florin/runtime/bus";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { createLogger } from "@florin/runtime/telemetry";
import { type TestPostgres, testPostgres, untilTrue } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createBookkeeper } from "../src/app/bookkeeper.ts";
import { createPoster } from "../src/app/post-batches.ts";
import { compareBalances, startRebuild } from "../src/app/rebuild.ts";
import { createLogIntake } from "../src/consumers/payment-log.ts";
import { progressOfNothing } from "../src/domain/progress.ts";
import { readAllBalances, readNewestTransfers, readTrialBalance } from "../src/store/books.ts";
import { readProgress } from "../src/store/progress.ts";
import { type FollowOptions as FollowerOptions, followLog, type LogFollower } from "../src/workers/follow-log.ts";
import { batches, fullLife, makeBooks, type TestBooks } from "./books.ts";

const logger = createLogger({ service: "ledger-test", level: "silent" });
let server: TestPostgres;
let books: TestBooks;
let databases = 0;
const sessions: Sql[] = [];
const followers: LogFollower[] = [];

beforeAll(async () => {
  server = await testPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  databases += 1;
  books = await makeBooks(server, `florin_ledger_follow_${databases}`);
});
afterEach(async () => {
  await Promise.all(followers.splice(0).map((follower) => follower.stop()));
  await Promise.all(sessions.splice(0).map((session) => session.end({ timeout: 5 })));
  await books.close();
});

/** A log that is given out from a consumer's positions, and then stays open. `before` may throw or repeat. */
class ScriptedSource implements EventSource {
  readonly log: readonly EventBatch[];
  readonly starts: bigint[] = [];
  before: (batch: EventBatch) => readonly EventBatch[] = (batch) => [batch];

  constructor(log: readonly EventBatch[]) {
    this.log = log;
  }

  async follow({ afterPositions, handle, signal }: FollowOptions): Promise<void> {
    this.starts.push(afterPositions.reduce((sum, position) => sum + position));
    for (const batch of this.log) {
      if (signal.aborted) return;
      if (batch.throughPosition <= (afterPositions[batch.partition] ?? 0n)) continue;
      for (const given of this.before(batch)) await handle(fromBinary(EventBatchSchema, toBinary(EventBatchSchema, given)));
    }
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
}

function follow(source: EventSource, change: Partial<FollowerOptions> = {}): LogFollower {
  const leaderSession = connectPostgres({ url: books.appUrl, name: "lead", connectionsMax: 1 });
  sessions.push(leaderSession);
  const follower = followLog({
    source,
    sql: books.sql,
    leaderSession,
    poster: createPoster(books.sql),
    onPosted: () => {},
    logger,
    ...change,
  });
  followers.push(follower);
  return follower;
}

const lives = Array.from({ length: 40 }, (_, number) => fullLife(number));

async function isComplete(log: readonly EventBatch[]): Promise<boolean> {
  const progress = await readProgress(books.sql);
  return log.every(({ partition, throughPosition }) => (progress[partition] ?? 0n) >= throughPosition);
}

async function transfersPosted(): Promise<bigint | undefined> {
  const [row] = await books.sql<{ count: bigint }[]>`SELECT count(*) AS count FROM transfers`;
  return row?.count;
}

test("the log is posted as it comes, and repeated batches change nothing", async () => {
  const source = new ScriptedSource(batches(lives, 5));
  source.before = (batch) => [batch, batch];
  const follower = follow(source);
  await untilTrue(() => isComplete(source.log), 10_000);
  expect(follower.state).toBe("following");
  expect(await transfersPosted()).toBe(240n);
});

test("after a restart the log is followed from the stored positions", async () => {
  const source = new ScriptedSource(batches(lives, 5));
  const half = new ScriptedSource(source.log.slice(0, source.log.length / 2));
  const first = follow(half);
  await untilTrue(() => isComplete(half.log), 10_000);
  await first.stop();
  follow(source);
  await untilTrue(() => isComplete(source.log), 10_000);
  expect(source.starts[0]).toBeGreaterThan(0n);
  expect(await transfersPosted()).toBe(240n);
});

test("a batch that cannot be posted is not overtaken by a later one", async () => {
  const [first, second] = batches([fullLife(1)], 4);
  let posts = 0;
  const real = createPoster(books.sql);
  const bookkeeper = createBookkeeper({
    poster: { post: (some) => (posts++ === 0 ? Promise.reject(new Error("the database went away")) : real.post(some)) },
    onPosted: () => {},
  });
  let faults = 0;
  const intake = createLogIntake({
    bookkeeper,
    onFault: () => {
      faults += 1;
    },
  });
  await intake.handle(required(first, "first"));
  await untilTrue(() => faults === 1, 5_000);
  await expect(intake.handle(required(second, "second"))).rejects.toMatchObject({ name: "AppError" });
  await expect(intake.finish()).rejects.toMatchObject({ name: "AppError" });
  expect(await transfersPosted()).toBe(0n);
});

test("after a fault the log is followed again from the stored positions, and nothing is missing", async () => {
  const source = new ScriptedSource(batches(lives, 5));
  const real = createPoster(books.sql);
  let posts = 0;
  follow(source, {
    poster: {
      async post(some) {
        posts += 1;
        if (posts === 1) throw new Error("before the commit");
        const posted = await real.post(some);
        if (posts === 2) throw new Error("after the commit");
        return posted;
      },
    },
  });
  await untilTrue(() => isComplete(source.log), 10_000);
  expect(source.starts.length).toBeGreaterThan(1);
  expect(await transfersPosted()).toBe(240n);
});

test("a second instance stands by and takes over when the first one stops", async () => {
  const source = new ScriptedSource(batches(lives, 5));
  const half = new ScriptedSource(source.log.slice(0, 10));
  const first = follow(half);
  await untilTrue(() => first.state === "following", 5_000);
  const second = follow(source);
  await untilTrue(() => isComplete(half.log), 10_000);
  expect(second.state).toBe("standby");
  await first.stop();
  await untilTrue(() => isComplete(source.log), 10_000);
  expect(second.state).toBe("following");
  expect(await transfersPosted()).toBe(240n);
});

test("a leader whose session is cut stops following and comes back", async () => {
  const source = new ScriptedSource(batches(lives, 5));
  follow(source);
  await untilTrue(() => isComplete(source.log), 10_000);
  const superuser = connectPostgres({ url: server.superuserUrl, name: "test", connectionsMax: 1 });
  await superuser`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lead'`;
  await superuser.end();
  await untilTrue(() => source.starts.length === 2, 10_000);
  expect(await transfersPosted()).toBe(240n);
});

test("an event type that is not known stops the books before it", async () => {
  const log = batches([fullLife(1)], 2);
  const last = log.at(-1);
  const strange = create(EventBatchSchema, {
    partition: last?.partition ?? 0,
    throughPosition: (last?.throughPosition ?? 0n) + 5n,
    events: [{ position: (last?.throughPosition ?? 0n) + 5n, partition: last?.partition ?? 0, body: Buffer.from("0a03616263", "hex") }],
  });
  const follower = follow(new ScriptedSource([...log, strange]));
  await untilTrue(() => follower.state === "failing" && isComplete(log), 10_000);
  expect(await isComplete([strange])).toBe(false);
});

test("books rebuilt from the log are the same, to the unit and to the entry", async () => {
  const log = batches(lives, 5);
  follow(new ScriptedSource(log));
  await untilTrue(() => isComplete(log), 10_000);
  const kept = await readAllBalances(books.sql);
  const empty = await makeBooks(server, `florin_ledger_rebuilt_${databases}`);
  try {
    const rebuild = await startRebuild({ sql: empty.sql, goal: kept.progress, newestTransfers: await readNewestTransfers(books.sql) });
    const intake = createLogIntake({ bookkeeper: createBookkeeper({ poster: rebuild, onPosted: () => {} }), onFault: () => {} });
    // The log has gone on meanwhile: what lies beyond the goal is not posted.
    const longer = batches([...lives, fullLife(41), fullLife(42)], 7).filter(({ events }) => events.length > 0);
    for (const batch of log) await intake.handle(batch);
    for (const batch of longer.filter(({ throughPosition, partition }) => throughPosition > (kept.progress[partition] ?? 0n)))
      await intake.handle(batch);
    await intake.finish();
    expect(rebuild.isDone()).toBe(true);
    const rebuilt = await readAllBalances(empty.sql);
    expect(compareBalances(kept.balances, rebuilt.balances)).toEqual([]);
    expect(rebuilt.progress).toEqual(kept.progress);
    const rows = (
      sql: Sql,
    ) => sql`SELECT t.position, t.leg, d.name AS debit, c.name AS credit, t.amount, t.is_pending, t.payment_id::text, t.occurred_at::text
      FROM transfers t JOIN accounts d ON d.account_id = t.debit_account_id JOIN accounts c ON c.account_id = t.credit_account_id ORDER BY 1, 2`;
    expect([...(await rows(empty.sql))]).toEqual([...(await rows(books.sql))]);
    expect(await readTrialBalance(empty.sql)).toEqual(await readTrialBalance(books.sql));
    await expect(startRebuild({ sql: empty.sql, goal: progressOfNothing, newestTransfers: progressOfNothing })).rejects.toThrow(
      "empty database",
    );
  } finally {
    await empty.close();
  }
});
