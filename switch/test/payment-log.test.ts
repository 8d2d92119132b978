import { randomBytes } from "node:crypto";
import { idToHex, makeId } from "@florin/kernel";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPayment, type Transition } from "../src/domain/payment/index.ts";
import { sampleCreate, sampleOrigin } from "../src/domain/payment/samples.ts";
import { migrate } from "../src/migrate.ts";
import { appendStatement } from "../src/store/append-statement.ts";
import { encodeTransitions } from "../src/store/event-body.ts";
import { createExpiringHolds } from "../src/store/expiring-holds.ts";
import { type HeldRow, testPaymentLog } from "../src/store/log-conformance.ts";
import { createLogReader } from "../src/store/log-reader.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createLogWriter, type LogWriter } from "../src/store/log-writer.ts";
import { createOpenOperations } from "../src/store/open-operations.ts";
import { openPools } from "../src/store/pools.ts";
import { createWorkerCheckpoints } from "../src/store/worker-checkpoints.ts";
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
    const pools = openPools({ databaseUrl: stage.appUrl, databaseConnectionsMax: 4 });
    const { log: sql } = pools;
    sqls.push(...Object.values(pools));
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
function first(changes: Parameters<typeof sampleCreate>[0] = {}): Transition {
  const command = sampleCreate({ id: newId(), merchantId, merchantReference: "", ...changes });
  return createPayment(command, { nowMs: Date.now(), origin: sampleOrigin });
}

testPaymentLog("on PostgreSQL", async () => ({
  writers,
  reader: createLogReader(stage.sql),
  newTail: () => createLogTail(stage.sql),
  operations: createOpenOperations(stage.sql),
  checkpoints: createWorkerCheckpoints(stage.sql),
  holds: createExpiringHolds(stage.sql),
  hold,
}));

/** Another replica has inserted the row and has not committed: it is not to be seen yet, and is in the way of who wants it. */
async function hold(row: Transition): Promise<HeldRow> {
  const takenBack = new Error("taken back");
  let end: (isCommitted: boolean) => void = () => {};
  const ended = new Promise<boolean>((resolve) => {
    end = resolve;
  });
  let isWritten: () => void = () => {};
  const written = new Promise<void>((resolve) => {
    isWritten = resolve;
  });
  const transaction = owner
    .begin(async (sql) => {
      await copyRow(sql, row);
      isWritten();
      if (!(await ended)) throw takenBack;
    })
    .catch((thrown: unknown) => {
      if (thrown !== takenBack) throw thrown;
    });
  await written;
  const endWith = async (isCommitted: boolean) => {
    end(isCommitted);
    await transaction;
  };
  return { commit: () => endWith(true), rollBack: () => endWith(false) };
}

describe("appending", () => {
  test("no key is without its row, after all that was raced for", async () => {
    const [orphans] = await stage.sql<{ count: number }[]>`
      SELECT count(*)::int AS count FROM idempotency_keys k
      WHERE NOT EXISTS (SELECT FROM payment_events e WHERE e.payment_id = k.payment_id AND e.seq = k.intent_seq)`;
    expect(orphans?.count).toBe(0);
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
});

describe("the writer's connections", () => {
  test("plan the statement once, however small its batches", async () => {
    const { log } = openPools({ databaseUrl: stage.appUrl, databaseConnectionsMax: 4 });
    const writer = createLogWriter({ sql: log, metrics: telemetry.metrics });
    // From the sixth run on PostgreSQL may keep a plan; for one payment it likes to make a new one each time.
    for (let run = 0; run < 10; run++) await writer.append(first(), undefined);
    const [plans] = await log<{ custom: bigint; generic: bigint }[]>`
      SELECT sum(custom_plans)::bigint AS custom, sum(generic_plans)::bigint AS generic FROM pg_prepared_statements`;
    expect(plans?.custom).toBe(0n);
    expect(Number(plans?.generic)).toBeGreaterThan(1);
    await log.end({ timeout: 5 });
  });
});

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

/** Writes a row as the append statement does (its transaction id first, then its position), in a transaction of the test. */
async function copyRow(transaction: Sql | Parameters<Parameters<Sql["begin"]>[1]>[0], { payment, event }: Transition): Promise<void> {
  await transaction`SELECT pg_current_xact_id()`;
  await transaction`
    INSERT INTO payment_events (payment_id, seq, merchant_id, position, occurred_at, type, status, is_live, currency, amount, authorized, captured,
      capture_pending, released, refunded, refund_pending, body)
    VALUES (${idToHex(payment.id)}::uuid, ${payment.version}, ${idToHex(payment.merchantId)}::uuid, nextval('payment_events_position'), now(), ${event.type},
      ${payment.status}, false, ${payment.currency}, ${String(payment.amount)}::bigint, 0, 0, 0, 0, 0, 0, ${Buffer.from(bodyOf({ payment, event }))})`;
}
