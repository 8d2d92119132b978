import { randomBytes, randomUUID } from "node:crypto";
import { idToHex, makeId } from "@florin/kernel";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPayment, requestAuthorization, requestCapture, type Transition } from "../src/domain/payment/index.ts";
import { sampleAttempt, sampleCreate, sampleOrigin } from "../src/domain/payment/samples.ts";
import { migrate } from "../src/migrate.ts";
import { appendStatement } from "../src/store/append-statement.ts";
import { decodeTransition, encodeTransitions } from "../src/store/event-body.ts";
import { createLogReader } from "../src/store/log-reader.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createLogWriter, type LogWriter } from "../src/store/log-writer.ts";
import { authorized, newCaller, openStage, type Stage, telemetry } from "./stage.ts";

function bodyOf(transition: Transition): Uint8Array {
  const [body] = encodeTransitions([transition]);
  if (!(body instanceof Uint8Array)) throw body ?? new Error("no body");
  return body;
}

let stage: Stage;
let owner: Sql;
/** Two processes' writers: batches of one never meet members of the other. */
let writers: readonly [LogWriter, LogWriter];
const sqls: Sql[] = [];

beforeAll(async () => {
  stage = await openStage({ withRedis: false });
  owner = connectPostgres({ url: stage.ownerUrl, name: "owner", connectionsMax: 2 });
  const writer = () => {
    const sql = connectPostgres({ url: stage.appUrl, name: "writer", connectionsMax: 2 });
    sqls.push(sql);
    return createLogWriter({ sql, metrics: telemetry.metrics });
  };
  writers = [writer(), writer()];
});
afterAll(async () => {
  await Promise.all([...sqls, owner].map((sql) => sql.end({ timeout: 5 })));
  await stage.stop();
});

const merchantId = newCaller().merchantId;
const newId = () => makeId("payment", Date.now(), randomBytes(10));
const hash = Buffer.alloc(32, 7);
const claimOf = (key: string = randomUUID()) => ({ key, requestHash: hash });

function first(changes: Parameters<typeof sampleCreate>[0] = {}): Transition {
  const command = sampleCreate({ id: newId(), merchantId, merchantReference: "", ...changes });
  return createPayment(command, { nowMs: Date.now(), origin: sampleOrigin });
}

function second(after: Transition): Transition {
  const nowMs = Date.now();
  const attempt = sampleAttempt(makeId("attempt", nowMs, randomBytes(10)));
  const decision = requestAuthorization(after.payment, attempt, { nowMs, origin: sampleOrigin });
  if (decision.kind !== "append") throw new Error(decision.refusal.message);
  return decision.transition;
}

const kindsOf = async (answers: Promise<{ kind: string }>[]) => (await Promise.all(answers)).map((answer) => answer.kind);
const keyCount = async (key: string) => (await stage.sql`SELECT 1 FROM idempotency_keys WHERE key = ${key}`).length;
const rowCount = async (id: string) => (await stage.sql`SELECT 1 FROM payment_events WHERE payment_id = ${idToHex(id)}::uuid`).length;

describe("appending", () => {
  test("answers each member of a batch by itself", async () => {
    const [log] = writers;
    const taken = first();
    await log.append(taken, claimOf("taken-key"));
    const next = second(taken);
    await log.append(next, claimOf());
    const unique = first({ merchantReference: "order-unique", uniqueReference: true });
    await log.append(unique, claimOf());
    const fine = first();
    const answers = await kindsOf([
      log.append(fine, claimOf("fine-key")),
      log.append(first(), claimOf("taken-key")),
      log.append(second(taken), claimOf("loser-key")),
      log.append(first({ merchantReference: "order-unique", uniqueReference: true }), claimOf("late-key")),
      log.append(first({ merchantReference: "order-unique" }), claimOf()),
    ]);
    expect(answers).toEqual(["appended", "key_taken", "conflict", "reference_taken", "appended"]);
    expect(await Promise.all(["fine-key", "loser-key", "late-key"].map(keyCount))).toEqual([1, 0, 0]);
  });

  test("of members of one batch with one key, row or reference the first wins and no neighbour suffers", async () => {
    const [log] = writers;
    const base = first();
    await log.append(base, claimOf());
    const reference = { merchantReference: `twice-${randomUUID()}`, uniqueReference: true };
    const answers = await kindsOf([
      log.append(first(), claimOf("double")),
      log.append(first(), claimOf("double")),
      log.append(second(base), claimOf("row-1")),
      log.append(second(base), claimOf("row-2")),
      log.append(first(reference), claimOf("reference-1")),
      log.append(first(reference), claimOf("reference-2")),
      log.append(first(), claimOf()),
    ]);
    expect(answers).toEqual(["appended", "key_taken", "appended", "conflict", "appended", "reference_taken", "appended"]);
    expect(await Promise.all(["double", "row-1", "row-2", "reference-1", "reference-2"].map(keyCount))).toEqual([1, 1, 0, 1, 0]);
  });

  test("behind a member that loses, the next with its key gets its turn", async () => {
    const [log] = writers;
    const base = first();
    await log.append(base, claimOf());
    await log.append(second(base), claimOf());
    const key = randomUUID();
    expect(await kindsOf([log.append(second(base), claimOf(key)), log.append(first(), claimOf(key))])).toEqual(["conflict", "appended"]);
  });

  test("two writers that race for the same rows, keys and references: one of each wins, and keys go with their rows", async () => {
    for (let round = 0; round < 20; round++) {
      const bases = Array.from({ length: 20 }, () => first());
      await Promise.all(bases.map((base) => writers[0].append(base, undefined)));
      const race = (log: LogWriter, name: string) =>
        bases.flatMap((base, index) => [
          // Opposite orders, so that the two would lock crosswise if nobody sorted them.
          log.append(second(name === "a" ? base : (bases[bases.length - 1 - index] as Transition)), claimOf(`${name}-${round}-${index}`)),
          log.append(first(), claimOf(`same-${round}-${name === "a" ? index : bases.length - 1 - index}`)),
          log.append(
            first({ merchantReference: `r-${round}-${index % 5}`, uniqueReference: true }),
            claimOf(`r-${name}-${round}-${index}`),
          ),
        ]);
      const [a, b] = await Promise.all([kindsOf(race(writers[0], "a")), kindsOf(race(writers[1], "b"))]);
      const count = (kind: string, at: number) => [...a, ...b].filter((answer, place) => answer === kind && place % 3 === at).length;
      expect([count("appended", 0), count("conflict", 0)]).toEqual([20, 20]);
      expect([count("appended", 1), count("key_taken", 1)]).toEqual([20, 20]);
      expect([count("appended", 2), count("reference_taken", 2)]).toEqual([5, 35]);
    }
    const [orphans] = await stage.sql<{ count: number }[]>`
      SELECT count(*)::int AS count FROM idempotency_keys k
      WHERE NOT EXISTS (SELECT FROM payment_events e WHERE e.payment_id = k.payment_id AND e.seq = k.intent_seq)`;
    expect(orphans?.count).toBe(0);
  });

  test("a member that claimed its key and lost its row to another transaction takes its claim back", async () => {
    const [log] = writers;
    const base = first();
    await log.append(base, undefined);
    const mine = second(base);
    const theirs = second(base);
    // Another replica has inserted the row and has not committed: it is not to be seen yet, and is in the way of the insert.
    const { release, appended } = await owner.begin(async (transaction) => {
      await copyRow(transaction, theirs);
      const appending = log.append(mine, claimOf("beaten"));
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { release: true, appended: appending };
    });
    expect(release).toBe(true);
    expect((await appended).kind).toBe("conflict");
    expect(await keyCount("beaten")).toBe(0);
    expect(await rowCount(base.payment.id)).toBe(2);
  });

  test("refuses a row that breaks a money rule, and only that row", async () => {
    const [log] = writers;
    const good = first();
    const bad = first();
    const broken: Transition = { ...bad, payment: { ...bad.payment, captured: 1n } };
    const answers = await Promise.allSettled([log.append(broken, claimOf("broken")), log.append(good, undefined)]);
    expect(answers[0]).toMatchObject({ status: "rejected", reason: { sqlState: "23514", constraint: expect.stringContaining("money") } });
    expect(await keyCount("broken")).toBe(0);
    expect(await rowCount(bad.payment.id)).toBe(0);
  });

  test("keeps to its indexes with a plan that was made while the log was empty", async () => {
    // A prepared statement keeps its plan. Made on empty tables, an EXISTS was answered from a hash of the whole log, batch for batch.
    const emptied = new Error("taken back");
    let lines: readonly { "QUERY PLAN": string }[] = [];
    const planning = owner.begin(async (sql) => {
      await sql.unsafe("TRUNCATE payment_events, idempotency_keys, unique_references");
      await sql.unsafe("SET LOCAL plan_cache_mode = force_generic_plan");
      await sql.unsafe(`PREPARE append AS ${appendStatement}`);
      const nulls = Array.from({ length: 23 }, () => "NULL").join(", ");
      lines = await sql.unsafe<{ "QUERY PLAN": string }[]>(`EXPLAIN EXECUTE append (${nulls})`);
      throw emptied;
    });
    await expect(planning).rejects.toBe(emptied);
    const plan = lines.map((line) => line["QUERY PLAN"]).join("\n");
    expect(plan).toMatch(/Index (Only )?Scan using payment_events_\d+_\d+_pkey/);
    expect(plan).not.toMatch(/Seq Scan on payment_events|hashed SubPlan/);
  });

  test("what is read back is what was written", async () => {
    const { payment } = await authorized(stage.parts, { metadata: { "a b": 'x"y\\z', ünïcode: "✓" }, merchantReference: '{NULL},"' });
    const reader = createLogReader(stage.sql);
    const which = { id: payment.id, merchantId: payment.merchantId };
    expect(await reader.newest(which)).toEqual(payment);
    const decision = requestCapture(payment, { captureId: makeId("capture", Date.now(), randomBytes(10)), amount: 5n }, context());
    if (decision.kind !== "append") throw new Error("refused");
    expect(decodeTransition(bodyOf(decision.transition))).toEqual(decision.transition);
    expect(await reader.newest({ ...which, merchantId: newCaller().merchantId })).toBeUndefined();
  });
});

const context = () => ({ nowMs: Date.now(), origin: sampleOrigin });

describe("the roles", () => {
  test("the application may add to the log and read it, and nothing else", async () => {
    const { payment } = await authorized(stage.parts);
    const id = idToHex(payment.id);
    const forbidden = [
      "UPDATE payment_events SET captured = 1 WHERE payment_id = $1::uuid",
      "DELETE FROM payment_events WHERE payment_id = $1::uuid",
      "DELETE FROM idempotency_keys WHERE payment_id = $1::uuid",
      "UPDATE idempotency_keys SET key = 'x' WHERE payment_id = $1::uuid",
      "DELETE FROM unique_references WHERE payment_id = $1::uuid",
      "INSERT INTO fraud_blocks (kind, value, created_by) VALUES ('ip', $1::uuid::text, 'me')",
    ];
    for (const statement of forbidden) await expect(stage.sql.unsafe(statement, [id])).rejects.toMatchObject({ code: "42501" });
    for (const statement of [
      "TRUNCATE payment_events",
      "DROP TABLE payment_events",
      "ALTER TABLE payment_events ADD COLUMN x int",
      "ALTER SEQUENCE payment_events_position RESTART",
      "CREATE TABLE mine (x int)",
    ])
      await expect(stage.sql.unsafe(statement)).rejects.toMatchObject({ code: "42501" });
    const partitions = await stage.sql<
      { name: string }[]
    >`SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'payment_events'::regclass`;
    expect(partitions.length).toBeGreaterThanOrEqual(5);
    for (const { name } of partitions) await expect(stage.sql.unsafe(`DELETE FROM ${name}`)).rejects.toMatchObject({ code: "42501" });
  });

  test("it can have partitions made ahead, and twice at once makes them once", async () => {
    const made = await Promise.all([6, 6, 6].map((months) => stage.sql`SELECT ensure_log_partitions(${months}) AS made`));
    expect(made.map(([row]) => Number(row?.["made"])).sort()).toEqual([0, 0, 3]);
    await expect(stage.sql`SELECT ensure_log_partitions(1000)`).rejects.toThrow("months_ahead");
  });

  test("the bounds of the partitions are the first ids of the months", async () => {
    const bounds = await stage.sql<{ name: string; bound: string }[]>`
      SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
      WHERE inhparent = 'payment_events'::regclass AND c.relkind = 'r'`;
    for (const { name, bound } of bounds) {
      const [, year, month] = /_(\d{4})_(\d{2})$/.exec(name) ?? [];
      const startMs = Date.UTC(Number(year), Number(month) - 1, 1);
      const uuid = idToHex(makeId("payment", startMs, new Uint8Array(10))).replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
      expect(bound).toContain(`FROM ('${uuid}')`);
    }
  });
});

describe("migrations", () => {
  test("run twice and at once without harm", async () => {
    await Promise.all([migrate(stage.ownerUrl), migrate(stage.ownerUrl), migrate(stage.ownerUrl)]);
    expect((await authorized(stage.parts)).payment.status).toBe("authorized");
  });
});

describe("following the log", () => {
  test("a transaction that is held open makes nobody skip its rows", async () => {
    const tail = createLogTail(stage.sql);
    const start = await settledPosition(tail);
    const slow = first();
    const fast = first();
    let during: readonly string[] = [];
    await owner.begin(async (transaction) => {
      await copyRow(transaction, slow);
      await writers[0].append(fast, undefined);
      // The fast row is committed and has the higher position; nobody may pass the open one.
      for (let reads = 0; reads < 5; reads++) during = [...during, ...(await tail.read(start, 100)).events.map((event) => event.paymentId)];
    });
    expect(during).toEqual([]);
    const after = await readAll(tail, start);
    expect(after.map((event) => event.paymentId)).toEqual([slow.payment.id, fast.payment.id]);
  });

  test("a transaction that is rolled back leaves a hole and no delay", async () => {
    const tail = createLogTail(stage.sql);
    const start = await settledPosition(tail);
    await owner
      .begin(async (transaction) => {
        await copyRow(transaction, first());
        throw new Error("rolled back");
      })
      .catch(() => undefined);
    const next = first();
    await writers[0].append(next, undefined);
    expect((await readAll(tail, start)).map((event) => event.paymentId)).toEqual([next.payment.id]);
  });

  test("under many writers and slow transactions every row comes once and in order", async () => {
    const tail = createLogTail(stage.sql);
    const start = await settledPosition(tail);
    const seen: bigint[] = [];
    const ids: string[] = [];
    let position = start;
    let isWriting = true;
    const readOn = async () => {
      const page = await tail.read(position, 64);
      for (const event of page.events) {
        seen.push(event.position);
        ids.push(event.paymentId);
      }
      position = page.throughPosition;
    };
    const reading = (async () => {
      while (isWriting) await readOn();
    })();
    const slow = Array.from({ length: 10 }, async (_, index) => {
      const row = first();
      await owner.begin(async (transaction) => {
        await copyRow(transaction, row);
        await new Promise((resolve) => setTimeout(resolve, 5 + index * 7));
      });
      return row;
    });
    const fast = Array.from({ length: 600 }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, index / 4));
      const row = first();
      await (writers[index % 2] as LogWriter).append(row, undefined);
      return row;
    });
    const written = await Promise.all([...slow, ...fast]);
    isWriting = false;
    await reading;
    for (let reads = 0; reads < 50 && ids.length < written.length; reads++) await readOn();
    expect(ids.toSorted()).toEqual(written.map(({ payment }) => payment.id).toSorted());
    expect(seen).toEqual(seen.toSorted((left, right) => Number(left - right)));
  });
});

async function settledPosition(tail: ReturnType<typeof createLogTail>): Promise<bigint> {
  await tail.look();
  return tail.look();
}

async function readAll(tail: ReturnType<typeof createLogTail>, start: bigint) {
  const events = [];
  let position = start;
  for (let reads = 0; reads < 10; reads++) {
    const page = await tail.read(position, 100);
    events.push(...page.events);
    position = page.throughPosition;
  }
  return events;
}

/** Writes a row as the append statement does (its transaction id first, then its position), in a transaction of the test. */
async function copyRow(transaction: Sql | Parameters<Parameters<Sql["begin"]>[1]>[0], { payment, event }: Transition): Promise<void> {
  await transaction`SELECT pg_current_xact_id()`;
  await transaction`
    INSERT INTO payment_events (payment_id, seq, merchant_id, position, occurred_at, type, status, is_live, currency, amount, authorized, captured,
      capture_pending, released, refunded, refund_pending, body)
    VALUES (${idToHex(payment.id)}::uuid, ${payment.version}, ${idToHex(payment.merchantId)}::uuid, nextval('payment_events_position'), now(), ${event.type},
      ${payment.status}, false, ${payment.currency}, ${String(payment.amount)}::bigint, 0, 0, 0, 0, 0, 0, ${Buffer.from(bodyOf({ payment, event }))})`;
}
