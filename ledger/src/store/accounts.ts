/**
 * Account ids by name and currency, made on first use. An account never changes, so the cache cannot be stale.
 */
import { assert } from "@florin/kernel";
import { arrayLiteral, type Sql } from "@florin/runtime/postgres";
import type { Account } from "../domain/account.ts";
import { accountKey } from "../domain/balance.ts";

/** Distinct accounts remembered; beyond it the cache starts anew. About 150 bytes each. */
const accountsCachedMax = 100_000;

export type AccountIds = {
  /** Ids by `accountKey`, for every account given; those that do not exist are made. Safe to repeat and to run side by side. */
  idsOf(accounts: readonly Account[]): Promise<ReadonlyMap<string, bigint>>;
};

type Row = { account_id: bigint; name: string; currency: string };

export function createAccountIds(sql: Sql): AccountIds {
  let cache = new Map<string, bigint>();
  return {
    async idsOf(accounts) {
      const missing = accounts.filter((account) => !cache.has(accountKey(account.name, account.currency)));
      if (missing.length > 0) {
        if (cache.size + missing.length > accountsCachedMax) cache = new Map();
        await remember(
          sql,
          cache,
          accounts.filter((account) => !cache.has(accountKey(account.name, account.currency))),
        );
      }
      return cache;
    },
  };
}

async function remember(sql: Sql, cache: Map<string, bigint>, wanted: readonly Account[]): Promise<void> {
  await select(sql, cache, wanted);
  const missing = wanted.filter((account) => !cache.has(accountKey(account.name, account.currency)));
  if (missing.length === 0) return;
  const sorted = [...missing].sort((left, right) =>
    accountKey(left.name, left.currency) < accountKey(right.name, right.currency) ? -1 : 1,
  );
  // Sorted, so that two writers wait for one another in the same order. Index: accounts_name_currency_key.
  await sql`INSERT INTO accounts (name, currency)
    SELECT m.name, m.currency FROM unnest(${names(sorted)}::text[], ${currencies(sorted)}::text[]) AS m (name, currency)
    ON CONFLICT (name, currency) DO NOTHING`;
  await select(sql, cache, missing);
  assert(
    missing.every((account) => cache.has(accountKey(account.name, account.currency))),
    "an account that was inserted is found",
  );
}

async function select(sql: Sql, cache: Map<string, bigint>, accounts: readonly Account[]): Promise<void> {
  // Index: accounts_name_currency_key.
  const rows = await sql<Row[]>`SELECT a.account_id, a.name, a.currency
    FROM unnest(${names(accounts)}::text[], ${currencies(accounts)}::text[]) AS m (name, currency)
    JOIN accounts a ON a.name = m.name AND a.currency = m.currency`;
  for (const row of rows) cache.set(accountKey(row.name, row.currency), row.account_id);
}

const names = (accounts: readonly Account[]) => arrayLiteral(accounts.map((account) => account.name));
const currencies = (accounts: readonly Account[]) => arrayLiteral(accounts.map((account) => account.currency));
