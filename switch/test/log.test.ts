/** The payment log on a real PostgreSQL: every answer of the writer, races, roles, and the order in which others read it. */

import { connectPostgres } from "@florin/runtime/postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordAuthorization, type Transition } from "../src/domain/payment/index.ts";
import { sampleLifetimeMs, sampleOrigin, sampleOutcomes } from "../src/domain/payment/samples.ts";
import { migrate } from "../src/migrate.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { claimOf, intentOf, type LogFixture, newId, startLog } from "./log-fixture.ts";

let log: LogFixture;

beforeAll(async () => {
  log = await startLog();
});
afterAll(async () => {
  await log?.stop();
});

const merchantId = newId("merchant");

function approvalOf(intent: Transition): Transition {
  const recording = recordAuthorization(
    intent.payment,
    { attemptId: intent.event.operationId, outcome: sampleOutcomes.approved },
    { nowMs: Date.now(), origin: sampleOrigin, authorizationLifetimeMs: sampleLifetimeMs },
  );
  if (recording.kind !== "append") throw new Error("an open attempt can be approved");
  return recording.transition;
}

test("an intent and its outcome are read back as they were written", async () => {
  const intent = intentOf({ merchantId, metadata: { cart: "7", 'quote"': "{a,b}\\ 'x' ünï" } });
  expect((await log.writer.append(intent, claimOf("read-back"))).kind).toBe("appended");
  const outcome = approvalOf(intent);
  expect((await log.writer.append(outcome, undefined)).kind).toBe("appended");
  const which = { id: intent.payment.id, merchantId };
  expect(await log.reader.newest(which)).toEqual(outcome.payment);
  expect(await log.reader.answerOf(which, 1)).toEqual(outcome);
  expect(await log.reader.key(merchantId, "test", "read-back")).toMatchObject({ paymentId: intent.payment.id, intentSequence: 1 });
});

test("another merchant finds nothing under the same payment id", async () => {
  const intent = intentOf({ merchantId });
  await log.writer.append(intent, claimOf("foreign"));
  expect(await log.reader.newest({ id: intent.payment.id, merchantId: newId("merchant") })).toBeUndefined();
});

test("a key is taken once: by a later call, inside one batch, and per merchant", async () => {
  const other = newId("merchant");
  const first = await log.writer.append(intentOf({ merchantId }), claimOf("once"));
  const again = await log.writer.append(intentOf({ merchantId }), claimOf("once"));
  const foreign = await log.writer.append(intentOf({ merchantId: other }), claimOf("once"));
  expect([first.kind, again.kind, foreign.kind]).toEqual(["appended", "key_taken", "appended"]);
  const batch = await Promise.all([1, 2, 3].map(() => log.writer.append(intentOf({ merchantId }), claimOf("in-one-batch"))));
  expect(batch.map(({ kind }) => kind).sort()).toEqual(["appended", "key_taken", "key_taken"]);
});

test("the same key in test and in live mode are two keys", async () => {
  const kinds = [];
  for (const mode of ["test", "live"] as const)
    kinds.push((await log.writer.append(intentOf({ merchantId, mode }), claimOf("both-modes"))).kind);
  expect(kinds).toEqual(["appended", "appended"]);
  const [inTest, inLive] = [await log.reader.key(merchantId, "test", "both-modes"), await log.reader.key(merchantId, "live", "both-modes")];
  expect(inTest?.paymentId).not.toBe(inLive?.paymentId);
});

test("a loser in a batch does not fail its neighbours, and nothing of it is written", async () => {
  await log.writer.append(intentOf({ merchantId }), claimOf("taken"));
  const loser = intentOf({ merchantId });
  const members = [
    log.writer.append(intentOf({ merchantId }), claimOf("neighbour-a")),
    log.writer.append(loser, claimOf("taken")),
    log.writer.append(intentOf({ merchantId }), claimOf("neighbour-b")),
  ];
  expect((await Promise.all(members)).map(({ kind }) => kind)).toEqual(["appended", "key_taken", "appended"]);
  expect(await log.reader.newest({ id: loser.payment.id, merchantId })).toBeUndefined();
});

test("of two outcomes for one sequence number one wins", async () => {
  const intent = intentOf({ merchantId });
  await log.writer.append(intent, claimOf("two-outcomes"));
  const kinds = [await log.writer.append(approvalOf(intent), undefined), await log.writer.append(approvalOf(intent), undefined)];
  expect(kinds.map(({ kind }) => kind)).toEqual(["appended", "conflict"]);
});

test("a unique reference is taken once per merchant, and a refused one leaves its key free", async () => {
  const unique = { merchantId, merchantReference: "order-77", uniqueReference: true };
  expect((await log.writer.append(intentOf(unique), claimOf("ref-1"))).kind).toBe("appended");
  expect((await log.writer.append(intentOf(unique), claimOf("ref-2"))).kind).toBe("reference_taken");
  expect(await log.reader.key(merchantId, "test", "ref-2")).toBeUndefined();
});

test("the application role can add to the log and to the keys, and change or remove nothing", async () => {
  const forbidden = [
    "UPDATE payment_events SET status = 'captured'",
    "DELETE FROM payment_events",
    "TRUNCATE payment_events",
    "UPDATE idempotency_keys SET key = 'x'",
    "DELETE FROM idempotency_keys",
    "CREATE TABLE mine (a int)",
    "ALTER TABLE payment_events DISABLE TRIGGER ALL",
  ];
  for (const statement of forbidden) await expect(log.sql.unsafe(statement), statement).rejects.toMatchObject({ code: "42501" });
});

test("migrations run again, and twice at once, without harm", async () => {
  await Promise.all([migrate(log.ownerUrl), migrate(log.ownerUrl)]);
  const [row] = await log.sql<{ made: number }[]>`SELECT ensure_log_partitions(3) AS made`;
  expect(row?.made).toBe(0);
});

test("a reader of the log skips no row of a transaction that commits late", async () => {
  const tail = createLogTail(log.sql);
  const slow = connectPostgres({ url: log.ownerUrl, name: "slow", connectionsMax: 1 });
  const held = Promise.withResolvers<void>();
  const drawn = Promise.withResolvers<bigint>();
  // A writer that has its id and has drawn a position, and takes its time to commit.
  const writing = slow.begin(async (transaction) => {
    await transaction`SELECT pg_current_xact_id()`;
    const rows = await transaction<{ position: bigint }[]>`SELECT nextval('payment_events_position') AS position`;
    drawn.resolve(rows[0]?.position ?? 0n);
    await held.promise;
  });
  const late = await drawn.promise;
  let position = 0n;
  // Nothing else runs, and then others come and go: the late one is never passed.
  for (let reads = 0; reads < 6; reads++) {
    if (reads === 2) await log.writer.append(intentOf({ merchantId }), claimOf("after-slow"));
    position = (await tail.read(position, 1_000)).throughPosition;
    expect(position).toBeLessThan(late);
  }
  held.resolve();
  await writing;
  await slow.end({ timeout: 5 });
  for (let reads = 0; reads < 5 && position <= late; reads++) position = (await tail.read(position, 1_000)).throughPosition;
  expect(position).toBeGreaterThan(late);
});

test("readers see every row exactly once and in order while many write", async () => {
  const tail = createLogTail(log.sql);
  let start = 0n;
  for (let reads = 0; reads < 4; reads++) start = (await tail.read(start, 10_000)).throughPosition;
  let isWriting = true;
  const seen: bigint[] = [];
  const reading = (async () => {
    let position = start;
    for (let idle = 0; idle < 5; ) {
      const page = await tail.read(position, 50);
      seen.push(...page.events.map((event) => event.position));
      position = page.throughPosition;
      if (!isWriting && page.events.length === 0) idle += 1;
    }
  })();
  const written = await Promise.all(
    Array.from({ length: 600 }, (_, index) => log.writer.append(intentOf({ merchantId }), claimOf(`many-${index}`))),
  );
  isWriting = false;
  await reading;
  const positions = written.flatMap((answer) => (answer.kind === "appended" ? [answer.position] : []));
  expect(positions).toHaveLength(600);
  expect(seen).toEqual([...positions].sort((left, right) => (left < right ? -1 : 1)));
});
