/**
 * The one way to a PostgreSQL pool.
 *
 * Lean on purpose: no type lookups (`fetch_types: false`), statements prepared once per connection, `bigint` columns as BigInt,
 * queries pipelined on each connection. A query fails at once when the server cannot be reached; nothing waits in an unbounded queue
 * for a server that is away.
 *
 * Deliberately not here: a query wrapper. Stores catch what `sql` throws and pass it through `toDatabaseFault`.
 */
import "./whole-results.ts";
import postgres from "postgres";

export type Sql = postgres.Sql<{ bigint: bigint }>;

const connectTimeoutS = 5;
const reconnectDelaySMax = 1;
/** A statement that runs longer is cancelled by the server and rolled back. */
const statementTimeoutMsDefault = 30_000;

/** What is still under way when a pool ends gets so long (s). */
const endTimeoutS = 1;

/**
 * Ends a pool whose users have ended. The driver takes a statement that was lost with its connection for one that is still under way, so
 * after a crash of the server waiting for all of them would take as long as it may.
 */
export function endPostgres(sql: Sql): Promise<void> {
  return sql.end({ timeout: endTimeoutS });
}

/**
 * A pool of at most `connectionsMax` connections, opened when first needed. `name` shows in pg_stat_activity.
 * `statementTimeoutMs` (default 30,000; 0 switches it off) is enforced by the server. `isPlannedOnce`: each prepared statement has one plan for
 * whatever it is given. Left to itself PostgreSQL plans anew for every run that looks cheap, and counts little of what planning costs; for a
 * statement that must do with one plan, because its tables grow under it.
 */
export function connectPostgres(options: {
  url: string;
  name: string;
  connectionsMax: number;
  statementTimeoutMs?: number;
  isPlannedOnce?: boolean;
}): Sql {
  const { name, connectionsMax, statementTimeoutMs = statementTimeoutMsDefault, isPlannedOnce = false } = options;
  return postgres(options.url, {
    max: connectionsMax,
    fetch_types: false,
    prepare: true,
    connect_timeout: connectTimeoutS,
    idle_timeout: 0,
    // A connection is never given up in the middle of a run just for its age: re-preparing every statement costs more than it saves.
    max_lifetime: null,
    backoff: (attempts: number) => Math.min(0.05 * 2 ** attempts, reconnectDelaySMax),
    types: { bigint: postgres.BigInt },
    connection: {
      application_name: name,
      statement_timeout: statementTimeoutMs,
      ...(isPlannedOnce ? { plan_cache_mode: "force_generic_plan" } : {}),
    },
    onnotice: () => {},
  });
}
