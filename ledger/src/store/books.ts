/**
 * Reads of the books: balances, entries, sums. Each read is one statement, so its parts belong to one moment.
 */
import { idFromHex, idToHex, required } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import type { ISql } from "postgres";
import { accountKey, type Balance } from "../domain/balance.ts";
import type { Layer, Purpose } from "../domain/posting.ts";
import { completeThrough, type Progress, progressOfNothing } from "../domain/progress.ts";
import { parsePositions } from "./progress.ts";

/** A pool or a transaction. */
type Query = ISql<{ bigint: bigint }>;

export type Side = "debit" | "credit";

export type Entry = {
  readonly id: bigint;
  readonly position: bigint;
  readonly paymentId: string;
  readonly account: string;
  readonly currency: string;
  readonly side: Side;
  readonly layer: Layer;
  readonly amount: bigint;
  readonly purpose: Purpose;
  readonly eventType: string;
  readonly occurredAtMs: number;
};

export type TrialBalanceLine = {
  readonly currency: string;
  readonly layer: Layer;
  readonly debits: bigint;
  readonly credits: bigint;
  readonly accounts: number;
};

type BalanceRow = {
  positions: string;
  debits_posted: bigint | null;
  credits_posted: bigint | null;
  debits_pending: bigint | null;
  credits_pending: bigint | null;
};

/** The balance of one account, or undefined when nothing was ever posted there. */
export async function readBalance(
  sql: Sql,
  account: { readonly name: string; readonly currency: string },
): Promise<{ readonly balance: Balance | undefined; readonly throughPosition: bigint }> {
  // Index: accounts_name_currency_key, balances_pkey.
  const [row] = await sql<
    BalanceRow[]
  >`SELECT p.positions::text AS positions, b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending
    FROM progress p
    LEFT JOIN (accounts a JOIN balances b ON b.account_id = a.account_id) ON a.name = ${account.name} AND a.currency = ${account.currency}
    WHERE p.is_only`;
  const found = required(row, "the row of progress");
  return { balance: balanceOf(found), throughPosition: completeThrough(parsePositions(found.positions)) };
}

function balanceOf(row: BalanceRow): Balance | undefined {
  const { debits_posted, credits_posted, debits_pending, credits_pending } = row;
  if (debits_posted === null || credits_posted === null || debits_pending === null || credits_pending === null) return undefined;
  return { debitsPosted: debits_posted, creditsPosted: credits_posted, debitsPending: debits_pending, creditsPending: credits_pending };
}

type EntryRow = {
  position: bigint;
  leg: number;
  side: number;
  is_pending: boolean;
  amount: bigint;
  occurred_at_ms: bigint;
  payment_id: string;
  purpose: string;
  event_type: string;
  name: string;
  currency: string;
};

/** An entry's id: its place in the log, in its event, and its side. Grows with the position; the same after a rebuild. */
const idsPerPosition = 16n;

export type PageOf = { readonly afterEntryId: bigint; readonly limit: number };

/** Entries of one payment, oldest first. */
export async function listEntriesOfPayment(sql: Sql, paymentId: string, page: PageOf): Promise<readonly Entry[]> {
  // Index: transfers_pkey, then accounts_pkey.
  const rows = await sql<EntryRow[]>`SELECT t.position, t.leg, s.side, t.is_pending, t.amount,
      (extract(epoch FROM t.occurred_at) * 1000)::bigint AS occurred_at_ms, t.payment_id::text AS payment_id, t.purpose, t.event_type, a.name, a.currency
    FROM transfers t CROSS JOIN (VALUES (0), (1)) AS s (side)
    JOIN accounts a ON a.account_id = CASE s.side WHEN 0 THEN t.debit_account_id ELSE t.credit_account_id END
    WHERE t.payment_id = ${idToHex(paymentId)}::uuid AND t.position * 16 + t.leg * 2 + s.side > ${page.afterEntryId.toString()}::bigint
    ORDER BY t.position, t.leg, s.side LIMIT ${page.limit}`;
  return rows.map(entryOf);
}

/** Entries of one account, oldest first; an empty currency means all. */
export async function listEntriesOfAccount(
  sql: Sql,
  account: { readonly name: string; readonly currency: string },
  page: PageOf,
): Promise<readonly Entry[]> {
  const after = page.afterEntryId.toString();
  const fromPosition = (page.afterEntryId / idsPerPosition).toString();
  // Index: accounts_name_currency_key, then transfers_debit and transfers_credit, each read in order up to the limit.
  const rows = await sql<EntryRow[]>`SELECT t.position, t.leg, t.side, t.is_pending, t.amount,
      (extract(epoch FROM t.occurred_at) * 1000)::bigint AS occurred_at_ms, t.payment_id::text AS payment_id, t.purpose, t.event_type, a.name, a.currency
    FROM accounts a CROSS JOIN LATERAL (
      (SELECT d.*, 0 AS side FROM transfers d WHERE d.debit_account_id = a.account_id AND d.position >= ${fromPosition}::bigint
         AND d.position * 16 + d.leg * 2 > ${after}::bigint ORDER BY d.position, d.leg LIMIT ${page.limit})
      UNION ALL
      (SELECT c.*, 1 AS side FROM transfers c WHERE c.credit_account_id = a.account_id AND c.position >= ${fromPosition}::bigint
         AND c.position * 16 + c.leg * 2 + 1 > ${after}::bigint ORDER BY c.position, c.leg LIMIT ${page.limit})
    ) t
    WHERE a.name = ${account.name} AND (${account.currency} = '' OR a.currency = ${account.currency})
    ORDER BY t.position, t.leg, t.side LIMIT ${page.limit}`;
  return rows.map(entryOf);
}

function entryOf(row: EntryRow): Entry {
  return {
    id: row.position * idsPerPosition + BigInt(row.leg * 2 + row.side),
    position: row.position,
    paymentId: idFromHex("payment", row.payment_id),
    account: row.name,
    currency: row.currency,
    side: row.side === 0 ? "debit" : "credit",
    layer: row.is_pending ? "pending" : "posted",
    amount: row.amount,
    purpose: row.purpose as Purpose,
    eventType: row.event_type,
    occurredAtMs: Number(row.occurred_at_ms),
  };
}

type SumsRow = {
  positions: string;
  currency: string | null;
  debits_posted: bigint;
  credits_posted: bigint;
  debits_pending: bigint;
  credits_pending: bigint;
  accounts_posted: bigint;
  accounts_pending: bigint;
};

/** Sums of all accounts per currency and layer. Reads every balance: for people and checks, not for a hot path. */
export async function readTrialBalance(
  sql: Sql,
): Promise<{ readonly lines: readonly TrialBalanceLine[]; readonly throughPosition: bigint }> {
  // Sequential scan of balances and accounts, wanted.
  const rows = await sql<SumsRow[]>`SELECT p.positions::text AS positions, s.*
    FROM progress p LEFT JOIN (
      SELECT a.currency, sum(b.debits_posted)::bigint AS debits_posted, sum(b.credits_posted)::bigint AS credits_posted,
        sum(b.debits_pending)::bigint AS debits_pending, sum(b.credits_pending)::bigint AS credits_pending,
        count(*) FILTER (WHERE b.debits_posted + b.credits_posted > 0) AS accounts_posted,
        count(*) FILTER (WHERE b.debits_pending + b.credits_pending > 0) AS accounts_pending
      FROM balances b JOIN accounts a ON a.account_id = b.account_id GROUP BY a.currency
    ) s ON true
    WHERE p.is_only ORDER BY s.currency`;
  const lines: TrialBalanceLine[] = [];
  for (const row of rows) {
    if (row.currency === null) continue;
    lines.push({
      currency: row.currency,
      layer: "posted",
      debits: row.debits_posted,
      credits: row.credits_posted,
      accounts: Number(row.accounts_posted),
    });
    lines.push({
      currency: row.currency,
      layer: "pending",
      debits: row.debits_pending,
      credits: row.credits_pending,
      accounts: Number(row.accounts_pending),
    });
  }
  return { lines, throughPosition: completeThrough(parsePositions(required(rows[0], "the row of progress").positions)) };
}

type NamedBalanceRow = {
  positions: string;
  name: string | null;
  currency: string;
  debits_posted: bigint;
  credits_posted: bigint;
  debits_pending: bigint;
  credits_pending: bigint;
};

/** Every balance by `accountKey`, and the positions they belong to. For the check after a rebuild. */
export async function readAllBalances(
  sql: Query,
): Promise<{ readonly balances: ReadonlyMap<string, Balance>; readonly progress: Progress }> {
  // Sequential scan of balances and accounts, wanted; one statement, so one moment.
  const rows = await sql<NamedBalanceRow[]>`SELECT p.positions::text AS positions, a.name, a.currency,
      b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending
    FROM progress p LEFT JOIN (balances b JOIN accounts a ON a.account_id = b.account_id) ON true
    WHERE p.is_only ORDER BY a.name, a.currency`;
  const balances = new Map<string, Balance>();
  for (const row of rows) {
    const balance = balanceOf(row);
    if (row.name !== null && balance !== undefined) balances.set(accountKey(row.name, row.currency), balance);
  }
  return { balances, progress: parsePositions(required(rows[0], "the row of progress").positions) };
}

/** Position of the newest transfer of each partition, 0 for none: where the money of a rebuild must have come. */
export async function readNewestTransfers(sql: Query): Promise<Progress> {
  // Sequential scan of transfers, wanted. The partition is the last hex digit of the payment's id.
  const rows = await sql<
    { partition: number; position: bigint }[]
  >`SELECT get_byte(uuid_send(payment_id), 15) & 15 AS partition, max(position) AS position
    FROM transfers GROUP BY 1`;
  const newest = [...progressOfNothing];
  for (const { partition, position } of rows) newest[partition] = position;
  return newest;
}
