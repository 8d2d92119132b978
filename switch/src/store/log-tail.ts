/**
 * Reads the payment log in commit-safe order.
 *
 * Positions are drawn from a sequence inside transactions that commit in any order, so `WHERE position > last` would skip the rows of a
 * slower transaction. Instead a fence is set: first S, the last position drawn; then X, the next transaction id. Whoever drew a
 * position up to S had its transaction id before that (the append statement forces it), so that id is below X. Once the oldest running
 * transaction is X or younger, all of them have ended: every position up to S is visible or was given up for ever, and (after, S] may
 * be read. S is taken in a statement before X; the other way round a transaction could begin between the two.
 *
 * A transaction that stays open with an id of its own holds everybody up; `idle_in_transaction_session_timeout` bounds that.
 */
import { idFromHex } from "@florin/kernel";
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";

export type TailEvent = { readonly position: bigint; readonly paymentId: string; readonly body: Uint8Array };

/** Every event up to `throughPosition` is in this answer or in an earlier one. */
export type TailPage = { readonly throughPosition: bigint; readonly events: readonly TailEvent[] };

export interface LogTail {
  /** Events after a position, in order, at most `limit`. Empty with the same position when nothing new is decided yet. */
  read(afterPosition: bigint, limit: number): Promise<TailPage>;
  /** The highest position known to be decided; 0 before the first read. */
  decided(): bigint;
}

type Fence = { readonly position: bigint; readonly transaction: bigint };

export function createLogTail(sql: Sql): LogTail {
  /** Highest position known to be decided. It only grows, so all readers of this process share it. */
  let decided = 0n;
  /** The fence that is waited for. */
  let fence: Fence | undefined;

  const look = async (): Promise<void> => {
    // Two statements, in this order: first what was drawn, then who runs. In one statement both would be seen from its beginning.
    const drawn = await sql<
      { position: bigint }[]
    >`SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS position FROM payment_events_position`;
    const running = await sql<{ oldest: string; next: string }[]>`
      SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest, pg_snapshot_xmax(pg_current_snapshot())::text AS next`;
    const position = drawn[0]?.position ?? 0n;
    const oldest = BigInt(running[0]?.oldest ?? 0);
    const next = BigInt(running[0]?.next ?? 0);
    if (fence !== undefined && oldest >= fence.transaction) {
      decided = fence.position;
      fence = undefined;
    }
    // Nobody runs at all: what was drawn is decided at once.
    if (oldest >= next && position > decided) decided = position;
    else if (fence === undefined && position > decided) fence = { position, transaction: next };
  };

  return {
    decided: () => decided,
    async read(afterPosition, limit) {
      try {
        await look();
        if (decided <= afterPosition) return { throughPosition: afterPosition, events: [] };
        const through = decided;
        // index: payment_events_by_position, merged over the partitions
        const rows = await sql<{ position: bigint; payment_id: string; body: Uint8Array }[]>`
          SELECT position, payment_id, body FROM payment_events
          WHERE position > ${afterPosition.toString()}::bigint AND position <= ${through.toString()}::bigint ORDER BY position LIMIT ${limit}`;
        const events = rows.map((row) => ({ position: row.position, paymentId: idFromHex("payment", row.payment_id), body: row.body }));
        return { throughPosition: events.length < limit ? through : (events.at(-1)?.position ?? through), events };
      } catch (thrown) {
        throw toDatabaseFault(thrown);
      }
    },
  };
}
