/**
 * Compares what merchants were told under each idempotency key with the books: at most one charge per key, one answer per key, no key that
 * stays locked, a yes that is in the log, a no that took nothing. Pure.
 */
import type { Books, LedgerSums } from "./books.ts";
import { type Check, check } from "./compare.ts";

/** Everything that was ever answered under one key. */
export type KeyTold = {
  readonly operation: "authorize" | "capture" | "void" | "refund";
  /** Undefined when no answer named one. */
  readonly paymentId: string | undefined;
  /** Different bytes among the answers that were a yes. */
  readonly differentYes: number;
  readonly isYes: boolean;
  readonly isNo: boolean;
};

export type KeyBooks = {
  readonly books: Books;
  /** Keys of the log, with the payment of each. */
  readonly keys: ReadonlyMap<string, string>;
};

/** An authorization's key is its payment's reference too: so a second payment under one key is seen, whatever the log says of keys. */
export function compareKeys(told: ReadonlyMap<string, KeyTold>, { books, keys }: KeyBooks): readonly Check[] {
  const all = [...told];
  const authorizations = all.filter(([, { operation }]) => operation === "authorize");
  const paymentsOf = byReference(books);
  return [
    check("open", "no key is locked", all, ([, { isYes, isNo }]) => (isYes || isNo ? undefined : "has no final answer")),
    check("doubled", "one key, one answer", all, ([, key]) => oneAnswer(key)),
    check(
      "lost",
      "the key of every yes is in the log",
      all.filter(([, { isYes }]) => isYes),
      ([key, { paymentId }]) => keyInLog(paymentId, keys.get(key)),
    ),
    check("doubled", "one key, one payment", authorizations, ([key]) => {
      const count = paymentsOf.get(key)?.length ?? 0;
      return count > 1 ? `made ${count} payments` : undefined;
    }),
    check("doubled", "at most one charge per key", authorizations, ([key]) => {
      const charges = (paymentsOf.get(key) ?? []).reduce((sum, id) => sum + (books.acquirer.get(id)?.charges ?? 0), 0);
      return charges > 1 ? `was charged ${charges} times` : undefined;
    }),
    check(
      "unbalanced",
      "a reported failure has no charge, or a reversed one",
      authorizations.filter(([, { isNo }]) => isNo),
      ([key]) => (paymentsOf.get(key) ?? []).map((id) => chargeLeft(books, id)).find((words) => words !== undefined),
    ),
    check(
      "lost",
      "accepted voids are in the log",
      all.filter(([, { operation, isYes }]) => operation === "void" && isYes),
      ([, { paymentId = "" }]) => ((books.log.get(paymentId)?.released ?? 0) > 0 ? undefined : "released nothing"),
    ),
  ];
}

/** What the ledger says of itself, whoever made its entries. */
export function compareLedgerSums(sums: readonly LedgerSums[]): Check {
  return check(
    "unbalanced",
    "the ledger sums to zero, and balances are the sums of entries",
    sums.map((one) => [one.currency, one] as const),
    ([, { posted, pending, accountsAstray }]) =>
      posted === 0 && pending === 0 && accountsAstray === 0
        ? undefined
        : `is off by ${posted} posted and ${pending} pending, ${accountsAstray} accounts astray`,
  );
}

function byReference(books: Books): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [id, { reference }] of books.log) {
    const ids = found.get(reference);
    if (ids === undefined) found.set(reference, [id]);
    else ids.push(id);
  }
  return found;
}

function oneAnswer({ differentYes, isYes, isNo }: KeyTold): string | undefined {
  if (isYes && isNo) return "was answered yes and no";
  return differentYes > 1 ? `was answered in ${differentYes} ways` : undefined;
}

function keyInLog(told: string | undefined, found: string | undefined): string | undefined {
  if (found === undefined) return "is not in the log";
  return told === undefined || told === found ? undefined : `is of ${found} in the log, and was answered with ${told}`;
}

function chargeLeft(books: Books, id: string): string | undefined {
  const { authorized = 0, captured = 0, released = 0 } = books.acquirer.get(id) ?? {};
  return captured === 0 && authorized === released ? undefined : `was refused, and ${authorized - released} is held or taken`;
}
