/**
 * Reads the payment log in commit-safe order.
 *
 * Positions are drawn from a sequence inside transactions that commit in any order, so `WHERE position > last` would skip the rows of a
 * slower transaction. Instead a fence is set: first S, the last position drawn; then X, a transaction id of our own, drawn after that.
 * Whoever drew a position up to S had its transaction id before (the append statement forces it), so that id is below X. Once the
 * oldest running transaction is X or younger, all of them have ended: every position up to S is visible or was given up for ever, and
 * (after, S] may be read.
 *
 * X has to be drawn. A snapshot's xmax will not do: it is one past the last id that has *ended*, and a transaction that runs may be
 * above it, with rows that nobody sees yet.
 *
 * A transaction that stays open with an id of its own holds everybody up; `idle_in_transaction_session_timeout` bounds that.
 */
import { idFromHex, required } from "@florin/kernel";
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

  /** Sets a fence when something new was drawn, and lets it pass when everybody before it has ended. One look at a time. */
  const look = async (): Promise<void> => {
    if (fence === undefined) {
      const [drawn] = await sql<{ position: bigint }[]>`
        SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS position FROM payment_events_position`;
      const position = drawn?.position ?? 0n;
      if (position <= decided) return;
      const [own] = await sql<{ id: string }[]>`SELECT pg_current_xact_id()::text AS id`;
      fence = { position, transaction: BigInt(required(own, "a transaction id").id) };
    }
    const [running] = await sql<{ oldest: string }[]>`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest`;
    if (BigInt(required(running, "a snapshot").oldest) < fence.transaction) return;
    decided = fence.position;
    fence = undefined;
  };

  /** Readers of this process share a look: two at once would mix up their fences. */
  let looking: Promise<void> | undefined;
  const lookTogether = (): Promise<void> => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };

  return {
    decided: () => decided,
    async read(afterPosition, limit) {
      try {
        await lookTogether();
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
