/**
 * The three sets of books of one run, read where they are kept: the payment log, the simulated acquirer's, the ledger's.
 *
 * They are held in memory: runs up to about two million payments. Totals per payment in minor units.
 */
import { idFromHex } from "@florin/kernel";
import postgres from "postgres";
import { serviceDatabaseUrl, type UpFile } from "../stack/up-file.ts";

export type Totals = { readonly authorized: number; readonly captured: number; readonly refunded: number; readonly released: number };

/** A payment as the log has it. Other payments made during the run are there too, but only the run's own are compared. */
export type LogPayment = Totals & { readonly status: string; readonly isOpen: boolean; readonly isOfRun: boolean };
/** A payment as the acquirer has it; `charges` is the number of approved authorizations. */
export type AcquirerPayment = Totals & { readonly charges: number };
/** A payment as the ledger has it: `outstanding` is held and neither captured nor released. */
export type LedgerPayment = { readonly posted: number; readonly refunded: number; readonly outstanding: number };

export type Books = {
  readonly log: ReadonlyMap<string, LogPayment>;
  readonly acquirer: ReadonlyMap<string, AcquirerPayment>;
  readonly ledger: ReadonlyMap<string, LedgerPayment>;
};

/** Ids of a run lie between these two, by their time: every read uses its index for them. */
export type RunWindow = { readonly runId: string; readonly startedAtMs: number; readonly endedAtMs: number };

const statementTimeoutMs = 300_000;
const acquirerPageMax = 10_000;

export async function readBooks(up: UpFile, window: RunWindow): Promise<Books> {
  const log = await withDatabase(up, "florin_switch", (sql) => readLog(sql, window));
  const [acquirer, ledger] = await Promise.all([
    readAcquirer(up, window),
    withDatabase(up, "florin_ledger", (sql) => readLedger(sql, window)),
  ]);
  return { log, acquirer, ledger };
}

type Sql = ReturnType<typeof postgres>;

async function withDatabase<Answer>(up: UpFile, database: string, work: (sql: Sql) => Promise<Answer>): Promise<Answer> {
  const sql = postgres(serviceDatabaseUrl(up, database), {
    max: 1,
    fetch_types: false,
    connection: { application_name: "florin-verify", statement_timeout: statementTimeoutMs },
    onnotice: () => {},
  });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** The first and the last id that a payment of the window can have (48 bits of milliseconds, then random). */
function idBounds({ startedAtMs, endedAtMs }: RunWindow): { readonly first: string; readonly last: string } {
  const hex = (atMs: number) => Math.floor(atMs).toString(16).padStart(12, "0");
  return { first: `${hex(startedAtMs)}${"0".repeat(20)}`, last: `${hex(endedAtMs)}${"f".repeat(20)}` };
}

type LogRow = {
  payment_id: string;
  status: string;
  is_of_run: boolean;
  authorized: string;
  captured: string;
  refunded: string;
  released: string;
  capture_pending: string;
  refund_pending: string;
};

async function readLog(sql: Sql, window: RunWindow): Promise<ReadonlyMap<string, LogPayment>> {
  const { first, last } = idBounds(window);
  // Index: the primary key of payment_events (payment_id, seq, merchant_id), over the partitions of the window only.
  const rows = await sql<LogRow[]>`
    SELECT DISTINCT ON (e.payment_id) e.payment_id::text AS payment_id, e.status, e.authorized::text AS authorized, e.captured::text AS captured,
      e.refunded::text AS refunded, e.capture_pending::text AS capture_pending, e.refund_pending::text AS refund_pending,
      coalesce(f.merchant_reference LIKE ${`${window.runId}-%`}, false) AS is_of_run, coalesce(v.released, 0)::text AS released
    FROM payment_events e
    LEFT JOIN payment_events f ON f.payment_id = e.payment_id AND f.seq = 1 AND f.payment_id BETWEEN ${first}::uuid AND ${last}::uuid
    LEFT JOIN (
      SELECT payment_id, sum(amount) AS released FROM payment_events
      WHERE payment_id BETWEEN ${first}::uuid AND ${last}::uuid AND type IN ('payment_voided', 'authorization_expired') GROUP BY payment_id
    ) v ON v.payment_id = e.payment_id
    WHERE e.payment_id BETWEEN ${first}::uuid AND ${last}::uuid
    ORDER BY e.payment_id, e.seq DESC`;
  return new Map(
    rows.map((row) => [
      idFromHex("payment", row.payment_id),
      {
        status: row.status,
        isOfRun: row.is_of_run,
        authorized: Number(row.authorized),
        captured: Number(row.captured),
        refunded: Number(row.refunded),
        released: Number(row.released),
        isOpen:
          row.status === "processing" || row.status === "ambiguous" || Number(row.capture_pending) > 0 || Number(row.refund_pending) > 0,
      },
    ]),
  );
}

type AcquirerView = {
  payment_id: string;
  charges: number;
  amount_authorized: number | string;
  amount_captured: number | string;
  amount_refunded: number | string;
  amount_voided: number | string;
};

/** Pages through the admin API of the simulator, by payment id. Refunds count from their acceptance, as in the log. */
async function readAcquirer(up: UpFile, window: RunWindow): Promise<ReadonlyMap<string, AcquirerPayment>> {
  const { first, last } = idBounds(window);
  const lastId = idFromHex("payment", last);
  const payments = new Map<string, AcquirerPayment>();
  let after: string | null = idFromHex("payment", first);
  while (after !== null) {
    const response = await fetch(`${up.simulatorUrl}/admin/books/payments?limit=${acquirerPageMax}&after=${after}`);
    if (!response.ok) throw new Error(`the simulator's books answered ${response.status}`);
    const page = (await response.json()) as { payments: readonly AcquirerView[]; next: string | null };
    for (const view of page.payments) {
      if (view.payment_id > lastId) return payments;
      payments.set(view.payment_id, {
        charges: view.charges,
        authorized: Number(view.amount_authorized),
        captured: Number(view.amount_captured),
        refunded: Number(view.amount_refunded),
        released: Number(view.amount_voided),
      });
    }
    after = page.next;
  }
  return payments;
}

type LedgerRow = { payment_id: string; posted: string; refunded: string; outstanding: string };

async function readLedger(sql: Sql, window: RunWindow): Promise<ReadonlyMap<string, LedgerPayment>> {
  const { first, last } = idBounds(window);
  // Index: transfers_pkey.
  const rows = await sql<LedgerRow[]>`SELECT payment_id::text AS payment_id,
      coalesce(sum(amount) FILTER (WHERE purpose = 'capture'), 0)::text AS posted,
      (coalesce(sum(amount) FILTER (WHERE purpose = 'refund'), 0) - coalesce(sum(amount) FILTER (WHERE purpose = 'refund_reversal'), 0))::text AS refunded,
      (coalesce(sum(amount) FILTER (WHERE purpose = 'hold'), 0) - coalesce(sum(amount) FILTER (WHERE purpose = 'release'), 0))::text AS outstanding
    FROM transfers WHERE payment_id BETWEEN ${first}::uuid AND ${last}::uuid GROUP BY payment_id`;
  return new Map(
    rows.map((row) => [
      idFromHex("payment", row.payment_id),
      { posted: Number(row.posted), refunded: Number(row.refunded), outstanding: Number(row.outstanding) },
    ]),
  );
}
