/**
 * Balances: sums of entries per account, side and layer. They only grow; what is outstanding is a difference.
 */
import type { Transfer } from "./posting.ts";

/** Sums of all entries of one account, minor units, never negative. */
export type Balance = {
  readonly debitsPosted: bigint;
  readonly creditsPosted: bigint;
  readonly debitsPending: bigint;
  readonly creditsPending: bigint;
};

export const zeroBalance: Balance = { debitsPosted: 0n, creditsPosted: 0n, debitsPending: 0n, creditsPending: 0n };

/** How much a batch adds to one account. */
export type BalanceChange = Balance & { readonly account: string; readonly currency: string };

type Sums = {
  account: string;
  currency: string;
  debitsPosted: bigint;
  creditsPosted: bigint;
  debitsPending: bigint;
  creditsPending: bigint;
};

/** Key of an account in maps: a name holds no space, a currency has three letters. */
export function accountKey(account: string, currency: string): string {
  return `${currency} ${account}`;
}

/** One change per distinct account of a batch: a hot account is updated once, however many payments touch it. */
export function foldTransfers(transfers: readonly Transfer[]): ReadonlyMap<string, BalanceChange> {
  const changes = new Map<string, Sums>();
  for (const transfer of transfers) {
    const debit = sumsOf(changes, transfer.debit, transfer.currency);
    const credit = sumsOf(changes, transfer.credit, transfer.currency);
    if (transfer.layer === "posted") {
      debit.debitsPosted += transfer.amount;
      credit.creditsPosted += transfer.amount;
    } else {
      debit.debitsPending += transfer.amount;
      credit.creditsPending += transfer.amount;
    }
  }
  return changes;
}

function sumsOf(changes: Map<string, Sums>, account: string, currency: string): Sums {
  const key = accountKey(account, currency);
  const found = changes.get(key);
  if (found !== undefined) return found;
  const made: Sums = { account, currency, ...zeroBalance };
  changes.set(key, made);
  return made;
}

/** What is still pending on an account: releases taken off holds. One of the two is 0. */
export function outstanding(balance: Balance): { readonly debits: bigint; readonly credits: bigint } {
  const net = balance.debitsPending - balance.creditsPending;
  return net >= 0n ? { debits: net, credits: 0n } : { debits: 0n, credits: -net };
}
