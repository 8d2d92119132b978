/**
 * Reads the payment log in commit-safe order.
 *
 * Positions are drawn from a sequence inside transactions that commit in any order, so `WHERE position > last` would skip the rows of a
 * slower transaction. Instead a fence is set: first S, the last position drawn; then X, a transaction id of our own. Whoever drew a
 * position up to S had its transaction id before that (the append statement forces it), so that id is below X. Once every transaction
 * below X has ended, each position up to S is visible or was given up for ever, and (after, S] may be read.
 *
 * X has to be drawn: `pg_snapshot_xmax` is one past the highest *completed* id, and transactions that run may have higher ones. The
 * other end is safe: below `pg_snapshot_xmin` every transaction has ended. S is read in a statement before X; the other way round a
 * transaction could begin between the two.
 *
 * One long transaction of anybody holds the followers up, never the payments. Our own statements are bounded by `statement_timeout`.
 */
import { idFromHex, required } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import { guarded } from "./guarded.ts";

export type TailEvent = { readonly position: bigint; readonly paymentId: string; readonly body: Uint8Array };

/** Every event up to `throughPosition` is in this page or in an earlier one. */
export type TailPage = { readonly throughPosition: bigint; readonly events: readonly TailEvent[] };

export interface LogTail {
  /** Events after a position, in order, at most `limit`. Empty with the same position when nothing new is decided. */
  read(afterPosition: bigint, limit: number): Promise<TailPage>;
  /** Looks at the database; then the highest position known to be decided. It never goes back. */
  look(): Promise<bigint>;
  /** The highest position known to be decided without looking; 0 before the first look. */
  readonly decided: bigint;
}

/** The four questions behind the tail. Each sees what was committed when it was asked. */
export interface TailQueries {
  /** The last position drawn; 0 when none was. */
  lastDrawn(): Promise<bigint>;
  /** An id of a transaction of our own, higher than that of every transaction begun before. */
  ownTransaction(): Promise<bigint>;
  /** Every transaction with a lower id has ended. */
  oldestRunning(): Promise<bigint>;
  /** Committed rows in (after, through] in order, at most `limit`. */
  rows(afterPosition: bigint, throughPosition: bigint, limit: number): Promise<readonly TailEvent[]>;
}

type Fence = { readonly position: bigint; readonly transaction: bigint };

export function createLogTail(sql: Sql): LogTail {
  return createLogTailOver(createTailQueries(sql));
}

export function createLogTailOver(queries: TailQueries): LogTail {
  /** Shared by all readers of this process, because it only grows. */
  let decided = 0n;
  /** The fence that is waited for. */
  let fence: Fence | undefined;
  let looking: Promise<void> | undefined;

  const passFence = async (): Promise<void> => {
    if (fence === undefined) return;
    if ((await queries.oldestRunning()) < fence.transaction) return;
    decided = fence.position;
    fence = undefined;
  };

  const setFence = async (): Promise<void> => {
    const position = await queries.lastDrawn();
    if (position > decided) fence = { position, transaction: await queries.ownTransaction() };
  };

  const lookOnce = async (): Promise<void> => {
    await passFence();
    if (fence !== undefined) return;
    await setFence();
    await passFence();
  };

  const look = async (): Promise<bigint> => {
    looking ??= lookOnce().finally(() => {
      looking = undefined;
    });
    await looking;
    return decided;
  };

  return {
    get decided() {
      return decided;
    },
    look,
    async read(afterPosition, limit) {
      // A reader that is behind needs no look at the head.
      const through = decided > afterPosition ? decided : await look();
      if (through <= afterPosition) return { throughPosition: afterPosition, events: [] };
      const events = await queries.rows(afterPosition, through, limit);
      return { throughPosition: events.length < limit ? through : (events.at(-1)?.position ?? through), events };
    },
  };
}

function createTailQueries(sql: Sql): TailQueries {
  return {
    async lastDrawn() {
      const [row] = await guarded(sql<{ position: bigint }[]>`
        SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS position FROM payment_events_position`);
      return required(row, "the sequence of positions").position;
    },
    async ownTransaction() {
      const [row] = await guarded(sql<{ id: string }[]>`SELECT pg_current_xact_id()::text AS id`);
      return BigInt(required(row, "a transaction id").id);
    },
    async oldestRunning() {
      const [row] = await guarded(sql<{ oldest: string }[]>`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest`);
      return BigInt(required(row, "a snapshot").oldest);
    },
    async rows(afterPosition, throughPosition, limit) {
      // index: payment_events_by_position, merged over the partitions
      const rows = await guarded(sql<{ position: bigint; payment_id: string; body: Uint8Array }[]>`
        SELECT position, payment_id, body FROM payment_events
        WHERE position > ${afterPosition.toString()}::bigint AND position <= ${throughPosition.toString()}::bigint
        ORDER BY position LIMIT ${limit}`);
      return rows.map((row) => ({ position: row.position, paymentId: idFromHex("payment", row.payment_id), body: row.body }));
    },
  };
}
