/**
 * The rejected alternative to the partial indexes, made as well as we can, so that the comparison is fair: `payments_current`, one row per
 * payment, filled from the log in commit-safe order. It lives in the bench alone; docs/decisions/0008 has the outcome.
 *
 * What it does to be cheap:
 * - a row holds what a list filters by and the newest sequence number; the payment itself is read from the log, by primary key;
 * - the primary key is the index by creation time (ids are in time order), so lists need two more indexes and not three;
 * - of a payment only the newest row of a batch is written: an intent and its outcome in one batch are one insert;
 * - rows come in the order of the primary key; room is left in pages, so that a change outside the indexes can stay in its page (HOT);
 * - what is lost in a crash is read again from the log, so its commits do not wait for the disk.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { arrayLiteral, connectPostgres, type Sql } from "@florin/runtime/postgres";
import { createLogTail } from "../../src/store/log-tail.ts";

export const projectionSchema = `
  CREATE TABLE payments_current (
    merchant_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    is_live boolean NOT NULL,
    seq integer NOT NULL,
    status text NOT NULL,
    merchant_reference text,
    PRIMARY KEY (merchant_id, is_live, payment_id)
  ) WITH (fillfactor = 80);
  CREATE INDEX payments_current_by_status ON payments_current (merchant_id, is_live, status, payment_id);
  CREATE INDEX payments_current_by_reference ON payments_current (merchant_id, is_live, merchant_reference, payment_id)
    WHERE merchant_reference IS NOT NULL;
  GRANT SELECT, INSERT, UPDATE ON payments_current TO florin_switch_app`;

/** All of the log at once, for a table that starts late. */
export const projectionFill = `
  INSERT INTO payments_current (merchant_id, payment_id, is_live, seq, status, merchant_reference)
  SELECT newest.merchant_id, newest.payment_id, newest.is_live, newest.seq, newest.status, first.merchant_reference
  FROM (SELECT DISTINCT ON (payment_id) merchant_id, payment_id, is_live, seq, status FROM payment_events ORDER BY payment_id, seq DESC) newest
  JOIN payment_events first ON first.payment_id = newest.payment_id AND first.seq = 1
  ORDER BY newest.merchant_id, newest.payment_id`;

/** Where the newest row of a payment is picked and the upsert is fed from. */
export type Feed = "client" | "server";

export interface Projection {
  /** Takes over what is decided and not taken yet, then stops. Nothing may be appended meanwhile. */
  drain(): Promise<void>;
}

const checkpoint = "payments_current";
const batchMax = 8_192;

const upsertConflict = `
  ON CONFLICT (merchant_id, is_live, payment_id) DO UPDATE SET seq = excluded.seq, status = excluded.status
  WHERE payments_current.seq < excluded.seq`;

/** The rows go to the client, which picks the newest, and come back as arrays: what a consumer of events does. */
const upsertFromArrays = `
  WITH put AS (
    INSERT INTO payments_current (merchant_id, payment_id, is_live, seq, status, merchant_reference)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::int[], $5::text[], $6::text[]) ${upsertConflict}
  )
  UPDATE worker_checkpoints SET value = $7::bigint WHERE name = '${checkpoint}'`;

/** Nothing leaves the database: no client, no arrays. */
const upsertFromLog = `
  WITH put AS (
    INSERT INTO payments_current (merchant_id, payment_id, is_live, seq, status, merchant_reference)
    SELECT DISTINCT ON (merchant_id, is_live, payment_id) merchant_id, payment_id, is_live, seq, status,
      max(merchant_reference) OVER (PARTITION BY merchant_id, is_live, payment_id)
    FROM payment_events WHERE position > $1::bigint AND position <= $2::bigint
    ORDER BY merchant_id, is_live, payment_id, seq DESC ${upsertConflict}
  )
  UPDATE worker_checkpoints SET value = $2::bigint WHERE name = '${checkpoint}'`;

/** Follows the log every `everyMs` until it is drained. One connection, as one worker would have. */
export async function followLog(o: { readonly url: string; readonly feed: Feed; readonly everyMs: number }): Promise<Projection> {
  const sql = connectPostgres({ url: o.url, name: "bench-projection", connectionsMax: 1 });
  await sql`SET synchronous_commit TO off`;
  const tail = createLogTail(sql);
  const take = o.feed === "client" ? takeByClient : takeByServer;
  let position = (await tail.look()) as bigint;
  await sql`INSERT INTO worker_checkpoints (name, value) VALUES (${checkpoint}, ${position.toString()}::bigint)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
  const catchUp = async () => {
    const through = await tail.look();
    while (position < through) {
      const end = position + BigInt(batchMax) < through ? position + BigInt(batchMax) : through;
      await take(sql, position, end);
      position = end;
    }
  };
  let isDraining = false;
  const following = (async () => {
    while (!isDraining) {
      const startedMs = performance.now();
      await catchUp();
      await sleep(Math.max(0, o.everyMs - (performance.now() - startedMs)));
    }
  })();
  return {
    async drain() {
      isDraining = true;
      await following;
      // The second look passes the fence that the first one may only have set.
      for (let looks = 0; looks < 2; looks++) await catchUp();
      await sql.end({ timeout: 5 });
    },
  };
}

type LogRow = {
  readonly payment_id: string;
  readonly merchant_id: string;
  readonly is_live: boolean;
  readonly seq: number;
  readonly status: string;
  readonly merchant_reference: string | null;
};

async function takeByServer(sql: Sql, after: bigint, through: bigint): Promise<void> {
  await sql.unsafe(upsertFromLog, [after.toString(), through.toString()], { prepare: true });
}

async function takeByClient(sql: Sql, after: bigint, through: bigint): Promise<void> {
  // index: payment_events_by_position. The body stays where it is: a list does not filter by it.
  const rows = await sql<LogRow[]>`
    SELECT payment_id, merchant_id, is_live, seq, status, merchant_reference FROM payment_events
    WHERE position > ${after.toString()}::bigint AND position <= ${through.toString()}::bigint ORDER BY position`;
  const newest = new Map<string, LogRow>();
  for (const row of rows) {
    const earlier = newest.get(row.payment_id);
    newest.set(row.payment_id, earlier === undefined ? row : { ...row, merchant_reference: earlier.merchant_reference });
  }
  const sorted = [...newest.values()].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const column = (value: (row: LogRow) => string | number | boolean | null) => arrayLiteral(sorted.map(value));
  const columns = [
    column((row) => row.merchant_id),
    column((row) => row.payment_id),
    column((row) => row.is_live),
    column((row) => row.seq),
    column((row) => row.status),
    column((row) => row.merchant_reference),
  ];
  await sql.unsafe(upsertFromArrays, [...columns, through.toString()], { prepare: true });
}

function keyOf(row: LogRow): string {
  return `${row.merchant_id}${row.is_live}${row.payment_id}`;
}
