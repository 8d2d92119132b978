/**
 * The pools of the switch. PostgreSQL answers a connection's statements one after the other, and the driver lets one statement wait behind
 * another on the same connection: so what nobody pays by never shares a connection with what somebody does.
 */
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { batchesInFlightMax as appendsAtOnceMax } from "./log-writer.ts";
import { pagesAtOnceMax, pageTimeoutMs } from "./payment-lists.ts";

export type Pools = {
  /** The log's writer, alone: its one statement is too large to be planned for each batch. */
  readonly log: Sql;
  /** The reads that an operation waits for. */
  readonly operations: Sql;
  /** Lists and timelines. */
  readonly pages: Sql;
  /** Followers of the log, recovery, sweeps: large reads of a consumer that was away for long. */
  readonly background: Sql;
  /** The look for new settings, every second, whatever else is read; notifications of them come on a second connection. */
  readonly settings: Sql;
};

/** Half of what the edge waits for an operation: who waits behind a lock is told in time that nothing was done. */
const operationTimeoutMs = 10_000;
const backgroundConnections = 4;
/** One row by its key. */
const settingsTimeoutMs = 2_000;

export function openPools(o: { readonly databaseUrl: string; readonly databaseConnectionsMax: number }): Pools {
  const { databaseUrl: url } = o;
  return {
    log: connectPostgres({
      url,
      name: "florin-switch-log",
      connectionsMax: appendsAtOnceMax,
      statementTimeoutMs: operationTimeoutMs,
      isPlannedOnce: true,
    }),
    operations: connectPostgres({
      url,
      name: "florin-switch",
      connectionsMax: o.databaseConnectionsMax,
      statementTimeoutMs: operationTimeoutMs,
    }),
    pages: connectPostgres({ url, name: "florin-switch-pages", connectionsMax: pagesAtOnceMax, statementTimeoutMs: pageTimeoutMs }),
    background: connectPostgres({ url, name: "florin-switch-background", connectionsMax: backgroundConnections }),
    settings: connectPostgres({ url, name: "florin-switch-settings", connectionsMax: 1, statementTimeoutMs: settingsTimeoutMs }),
  };
}
