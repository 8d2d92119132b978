/**
 * The three sets of books of one run, read where they are kept: the payment log, the simulated acquirer's, the ledger's.
 *
 * They are held in memory: runs up to about two million payments. Totals per payment in minor units.
 */
import { idFromHex, idToHex } from "@florin/kernel";
import postgres from "postgres";
import { serviceDatabaseUrl, type UpFile } from "../stack/up-file.ts";

export type Totals = { readonly authorized: number; readonly captured: number; readonly refunded: number; readonly released: number };

/** A payment as the log has it. Other payments made during the run are there too, but only the run's own are compared. */
export type LogPayment = Totals & {
  readonly status: string;
  readonly isOpen: boolean;
  readonly isOfRun: boolean;
  /** The merchant's; "" without one. */
  readonly reference: string;
};
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

/** Keys of this merchant that the log holds, with the payment of each. */
export async function readKeys(up: UpFile, o: { runId: string; merchantId: string }): Promise<ReadonlyMap<string, string>> {
  return withDatabase(up, "florin_switch", async (sql) => {
    // Index: idempotency_keys_pkey, all keys of the merchant: at the end of a drill.
    const rows = await sql<{ key: string; payment_id: string }[]>`
      SELECT key, payment_id::text AS payment_id FROM idempotency_keys
      WHERE merchant_id = ${idToHex(o.merchantId)}::uuid AND starts_with(key, ${`${o.runId}-`})`;
    return new Map(rows.map((row) => [row.key, idFromHex("payment", row.payment_id)]));
  });
}

/** Of one currency, minor units. All 0 in books that balance and whose balances are the sums of their entries. */
export type LedgerSums = { readonly currency: string; readonly posted: number; readonly pending: number; readonly accountsAstray: number };

/** Reads the whole ledger. */
export async function readLedgerSums(up: UpFile): Promise<readonly LedgerSums[]> {
  return withDatabase(up, "florin_ledger", async (sql) => {
    const rows = await sql<{ currency: string; posted: string; pending: string; accounts_astray: string }[]>`
      WITH entries AS (
        SELECT account_id, sum(debit) FILTER (WHERE NOT is_pending) AS debits_posted, sum(credit) FILTER (WHERE NOT is_pending) AS credits_posted,
          sum(debit) FILTER (WHERE is_pending) AS debits_pending, sum(credit) FILTER (WHERE is_pending) AS credits_pending
        FROM (
          SELECT debit_account_id AS account_id, is_pending, amount AS debit, 0 AS credit FROM transfers
          UNION ALL SELECT credit_account_id, is_pending, 0, amount FROM transfers
        ) sides GROUP BY account_id
      )
      SELECT a.currency, sum(b.debits_posted - b.credits_posted)::text AS posted, sum(b.debits_pending - b.credits_pending)::text AS pending,
        count(*) FILTER (WHERE (b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending) IS DISTINCT FROM
          (coalesce(e.debits_posted, 0), coalesce(e.credits_posted, 0), coalesce(e.debits_pending, 0), coalesce(e.credits_pending, 0)))::text
          AS accounts_astray
      FROM accounts a JOIN balances b USING (account_id) LEFT JOIN entries e USING (account_id) GROUP BY a.currency`;
    return rows.map(({ currency, posted, pending, accounts_astray }) => ({
      currency,
      posted: Number(posted),
      pending: Number(pending),
      accountsAstray: Number(accounts_astray),
    }));
  });
}

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
  reference: string;
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
      coalesce(f.merchant_reference, '') AS reference, e.released::text AS released
    FROM payment_events e
    LEFT JOIN payment_events f ON f.payment_id = e.payment_id AND f.seq = 1 AND f.payment_id BETWEEN ${first}::uuid AND ${last}::uuid
    WHERE e.payment_id BETWEEN ${first}::uuid AND ${last}::uuid
    ORDER BY e.payment_id, e.seq DESC`;
  return new Map(
    rows.map((row) => [
      idFromHex("payment", row.payment_id),
      {
        status: row.status,
        reference: row.reference,
        isOfRun: row.reference.startsWith(`${window.runId}-`),
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
