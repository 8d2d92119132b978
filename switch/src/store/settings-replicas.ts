/** Which version of the settings each running replica works by. */
import type { Sql } from "@florin/runtime/postgres";
import { guarded } from "./guarded.ts";

export type AppliedSettings = {
  readonly version: number;
  /** Unix milliseconds, by the replica's clock. */
  readonly appliedAtMs: number;
  /** A newer version that the replica's release cannot read; 0: none. */
  readonly unreadVersion: number;
};
export type ReplicaSettings = AppliedSettings & { readonly replica: string; readonly seenAtMs: number };

export interface SettingsReplicas {
  /** Says what this replica works by, and that it lives. */
  tell(replica: string, applied: AppliedSettings): Promise<void>;
  /** Those heard of within `withinMs`, by name. */
  list(withinMs: number): Promise<readonly ReplicaSettings[]>;
  /** This replica ends. Removes those too that ended long ago without a word. */
  forget(replica: string): Promise<void>;
}

/** Long after anybody would look for them. */
const keptMs = 3_600_000;
/** A house has some hundred replicas at most. */
const listMax = 1_000;

type Row = {
  readonly replica: string;
  readonly version: number;
  readonly unread_version: number;
  readonly applied_at_ms: number;
  readonly seen_at_ms: number;
};

export function createSettingsReplicas(sql: Sql): SettingsReplicas {
  return {
    async tell(replica, { version, appliedAtMs, unreadVersion }) {
      // index: settings_replicas_pkey
      await guarded(sql`
        INSERT INTO settings_replicas (replica, version, unread_version, applied_at, seen_at)
        VALUES (${replica}, ${version}, ${unreadVersion}, to_timestamp(${appliedAtMs / 1_000}::float8), now())
        ON CONFLICT (replica) DO UPDATE
        SET version = excluded.version, unread_version = excluded.unread_version, applied_at = excluded.applied_at, seen_at = excluded.seen_at`);
    },
    async list(withinMs) {
      // the whole table, by design: one row per replica
      const rows = await guarded(sql<Row[]>`
        SELECT replica, version, unread_version, (extract(epoch FROM applied_at) * 1000)::float8 AS applied_at_ms,
          (extract(epoch FROM seen_at) * 1000)::float8 AS seen_at_ms
        FROM settings_replicas WHERE seen_at > now() - ${withinMs}::int * interval '1 millisecond' ORDER BY replica LIMIT ${listMax}`);
      return rows.map((row) => ({
        replica: row.replica,
        version: row.version,
        unreadVersion: row.unread_version,
        appliedAtMs: Math.round(row.applied_at_ms),
        seenAtMs: Math.round(row.seen_at_ms),
      }));
    },
    async forget(replica) {
      // the whole table, by design: one row per replica
      await guarded(sql`
        DELETE FROM settings_replicas WHERE replica = ${replica} OR seen_at < now() - ${keptMs}::int * interval '1 millisecond'`);
    },
  };
}
