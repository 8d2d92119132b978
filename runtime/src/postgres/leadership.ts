/**
 * One replica works at a time: a session-level advisory lock, held on a connection of its own.
 *
 * The lock only saves work: it can be lost without its holder noticing at once. What two holders do at the same time must be right
 * anyway, by a compare-and-set or a unique key in the database.
 */
import type { Sql } from "./connect.ts";

/** How often the holder makes sure that its connection, and with it the lock, still lives. */
const leaderProbePeriodMs = 2_000;

export type Leadership = {
  /** Aborted when the session that holds the lock is gone, or does not answer within a probe's period. */
  readonly lost: AbortSignal;
  /** Gives the lock back. Safe to repeat. */
  release(): Promise<void>;
};

/**
 * Takes the lock if it is free, at once; undefined when another replica holds it. `session` is a pool of exactly one connection that
 * is used for nothing else. Advisory locks share one number space in a database: the caller names its `lockKey`. Throws on database faults.
 */
export async function tryToLead(session: Sql, lockKey: number): Promise<Leadership | undefined> {
  const [row] = await session<{ taken: boolean }[]>`SELECT pg_try_advisory_lock(${lockKey}) AS taken`;
  if (row?.taken !== true) return undefined;
  const lost = new AbortController();
  let isProbing = false;
  const probe = setInterval(() => {
    if (isProbing) return lost.abort();
    isProbing = true;
    holdsLock(session, lockKey).then(
      (holds) => {
        isProbing = false;
        if (!holds) lost.abort();
      },
      () => lost.abort(),
    );
  }, leaderProbePeriodMs);
  return {
    lost: lost.signal,
    async release() {
      clearInterval(probe);
      // Without the lock the server only warns; without the session the lock is gone already.
      await session`SELECT pg_advisory_unlock(${lockKey})`.catch(() => undefined);
    },
  };
}

/** A new session of the pool does not hold what the old one held. */
async function holdsLock(session: Sql, lockKey: number): Promise<boolean> {
  const rows =
    await session`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = ${lockKey} AND pid = pg_backend_pid() AND granted`;
  return rows.length > 0;
}
