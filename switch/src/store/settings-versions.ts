/** The versions of the settings: appended, read, never changed. */
import type { Sql } from "@florin/runtime/postgres";
import { guarded } from "./guarded.ts";

export type SettingsVersion = {
  readonly version: number;
  /** Unix milliseconds, by the database's clock. */
  readonly madeAtMs: number;
  readonly madeBy: string;
  readonly note: string;
  /** The version whose document this one has; undefined unless it is a rollback. */
  readonly rolledBackTo: number | undefined;
};

/** `document` is JSON. */
export type StoredSettings = SettingsVersion & { readonly document: string };
export type NewSettings = Omit<StoredSettings, "madeAtMs">;

export interface SettingsVersions {
  /** The newest version, with its document unless it is the one that is `known`. Undefined: there is none yet. */
  newest(known: number): Promise<{ readonly version: number; readonly document: string | undefined } | undefined>;
  read(version: number): Promise<StoredSettings | undefined>;
  /** At most `limit` versions before `before`, newest first. */
  list(o: { readonly before: number; readonly limit: number }): Promise<readonly StoredSettings[]>;
  /** False when the newest version is not the one before this any more; then nothing was made. All replicas are told. */
  append(settings: NewSettings): Promise<boolean>;
  /** Calls `hear` after each new version, as far as PostgreSQL brings it: a hint, and nothing to rely on. Rejects when it cannot listen now. */
  listen(hear: () => void): Promise<void>;
}

const channel = "florin_settings";

type Row = {
  readonly version: number;
  readonly document: string;
  readonly made_at_ms: number;
  readonly made_by: string;
  readonly note: string;
  readonly rolled_back_to: number | null;
};

export function createSettingsVersions(sql: Sql): SettingsVersions {
  return {
    async newest(known) {
      // index: settings_versions_pkey
      const [row] = await guarded(sql<{ version: number; document: string | null }[]>`
        SELECT version, CASE WHEN version <> ${known}::int THEN document::text END AS document
        FROM settings_versions ORDER BY version DESC LIMIT 1`);
      return row && { version: row.version, document: row.document ?? undefined };
    },
    async read(version) {
      // index: settings_versions_pkey
      const [row] = await guarded(sql<Row[]>`
        SELECT version, document::text AS document, (extract(epoch FROM made_at) * 1000)::float8 AS made_at_ms, made_by, note, rolled_back_to
        FROM settings_versions WHERE version = ${version}::int`);
      return row && storedOf(row);
    },
    async list({ before, limit }) {
      // index: settings_versions_pkey
      const rows = await guarded(sql<Row[]>`
        SELECT version, document::text AS document, (extract(epoch FROM made_at) * 1000)::float8 AS made_at_ms, made_by, note, rolled_back_to
        FROM settings_versions WHERE version < ${before}::int ORDER BY version DESC LIMIT ${limit}`);
      return rows.map(storedOf);
    },
    async append({ version, document, madeBy, note, rolledBackTo }) {
      // index: settings_versions_pkey, to find the newest and as the guard; the notification leaves with the commit
      const rows = await guarded(sql`
        WITH made AS (
          INSERT INTO settings_versions (version, document, made_by, note, rolled_back_to)
          SELECT ${version}::int, ${document}::text::jsonb, ${madeBy}::text, ${note}::text, ${rolledBackTo ?? null}::int
          WHERE ${version - 1}::int = (SELECT coalesce(max(version), 0) FROM settings_versions)
          ON CONFLICT (version) DO NOTHING
          RETURNING version)
        SELECT pg_notify(${channel}, version::text) FROM made`);
      return rows.length === 1;
    },
    async listen(hear) {
      // On a connection of its own. The driver listens again by itself when that connection comes back.
      await guarded(sql.listen(channel, hear, hear));
    },
  };
}

function storedOf(row: Row): StoredSettings {
  const { version, document, made_at_ms, made_by, note, rolled_back_to } = row;
  return { version, document, madeAtMs: Math.round(made_at_ms), madeBy: made_by, note, rolledBackTo: rolled_back_to ?? undefined };
}
