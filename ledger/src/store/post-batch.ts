/**
 * Writes one batch of transfers: entries, balances and positions in one statement and one transaction (migrations/0001_books.sql).
 */
import { idToHex, required } from "@florin/kernel";
import { arrayLiteral, DatabaseFault, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import { accountKey, type BalanceChange } from "../domain/balance.ts";
import type { Transfer } from "../domain/posting.ts";
import type { Progress } from "../domain/progress.ts";

export type PostBatch = {
  /** The positions this batch was worked out against. */
  readonly expected: Progress;
  readonly through: Progress;
  readonly transfers: readonly Transfer[];
  readonly changes: readonly BalanceChange[];
  readonly accountIds: ReadonlyMap<string, bigint>;
};

/** SQLSTATE of `post_batch` when the positions are not those expected. */
const positionsMovedState = "FL001";

/**
 * Posts the batch, or says that somebody else has moved the positions (then nothing was done). Throws on database faults; after one
 * in flight nobody knows whether the batch was posted, so positions must be read again before anything else is posted.
 */
export async function postBatch(sql: Sql, batch: PostBatch): Promise<"posted" | "positions_moved"> {
  const { transfers, accountIds } = batch;
  const idOf = (name: string, currency: string) => required(accountIds.get(accountKey(name, currency)), "account id");
  const changes = batch.changes
    .map((change) => ({ ...change, accountId: idOf(change.account, change.currency) }))
    .sort((left, right) => (left.accountId < right.accountId ? -1 : 1));
  const column = <Value extends string | number | bigint | boolean>(read: (transfer: Transfer) => Value) =>
    arrayLiteral(transfers.map(read));
  const sum = (read: (change: (typeof changes)[number]) => bigint) => arrayLiteral(changes.map(read));
  try {
    // Index: progress_pkey, balances_pkey; transfers is only added to.
    await sql`SELECT post_batch(
      ${arrayLiteral(batch.expected)}::bigint[], ${arrayLiteral(batch.through)}::bigint[],
      ${column((transfer) => transfer.position)}::bigint[],
      ${column((transfer) => transfer.leg)}::smallint[],
      ${column((transfer) => transfer.layer === "pending")}::boolean[],
      ${column((transfer) => idOf(transfer.debit, transfer.currency))}::bigint[],
      ${column((transfer) => idOf(transfer.credit, transfer.currency))}::bigint[],
      ${column((transfer) => transfer.amount)}::bigint[],
      ${column((transfer) => transfer.occurredAtMs)}::bigint[],
      ${column((transfer) => idToHex(transfer.paymentId))}::uuid[],
      ${column((transfer) => transfer.purpose)}::text[],
      ${column((transfer) => transfer.eventType)}::text[],
      ${sum((change) => change.accountId)}::bigint[],
      ${sum((change) => change.debitsPosted)}::bigint[],
      ${sum((change) => change.creditsPosted)}::bigint[],
      ${sum((change) => change.debitsPending)}::bigint[],
      ${sum((change) => change.creditsPending)}::bigint[])`;
    return "posted";
  } catch (thrown) {
    const fault = toDatabaseFault(thrown);
    if (fault instanceof DatabaseFault && fault.sqlState === positionsMovedState) return "positions_moved";
    throw fault;
  }
}
