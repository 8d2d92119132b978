/**
 * The chart of accounts. A name says whose account it is and what it counts; an account holds one currency.
 *
 * Test and live money never meet: accounts of test payments begin with `test/`, so no live balance contains play money.
 */
import { assert } from "@florin/kernel";
import type { Mode } from "./event.ts";

/** An account as the posting rules speak of it. */
export type Account = { readonly name: string; readonly currency: string };

/** Account names are at most this long; the database checks it too. */
export const accountNameLengthMax = 128;

const prefixes: Readonly<Record<Mode, string>> = { live: "", test: "test/" };

/** What a processor owes us: a debit account (an asset). Pending debits are what issuers hold for us through this processor. */
export function processorReceivable(mode: Mode, connector: string): string {
  assert(/^[a-z][a-z0-9_-]{0,31}$/.test(connector), "a connector's name is short and plain");
  return `${prefixes[mode]}processor/${connector}/receivable`;
}

/** What we owe a merchant: a credit account (a liability). Pending credits are what the merchant may still capture. */
export function merchantPayable(mode: Mode, merchantId: string): string {
  return `${prefixes[mode]}merchant/${merchantId}/payable`;
}
