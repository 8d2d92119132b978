/**
 * What reading the log costs, counted by PostgreSQL itself: entries that its scans went through, by index, summed over the partitions.
 *
 * An EXPLAIN would show the plan for the values it is given; a prepared statement gets another one after five runs. This counts what ran.
 */
import type { Sql } from "@florin/runtime/postgres";

export type LogReading = {
  /** Entries read from the indexes of the log, by the name of the index on the whole log. Indexes that were not read are missing. */
  readonly byIndex: Readonly<Record<string, number>>;
  /** Rows read by scans of whole tables. */
  readonly unindexed: number;
};

/** `reader` must have one connection, the one that `work` uses: its counters are pushed out before they are read. */
export async function countReading(reader: Sql, work: () => Promise<unknown>): Promise<LogReading> {
  const before = await counters(reader);
  await work();
  const after = await counters(reader);
  const byIndex: Record<string, number> = {};
  for (const [name, read] of after.byIndex) {
    const more = read - (before.byIndex.get(name) ?? 0);
    if (more > 0) byIndex[name] = more;
  }
  return { byIndex, unindexed: after.unindexed - before.unindexed };
}

async function counters(reader: Sql): Promise<{ readonly byIndex: ReadonlyMap<string, number>; readonly unindexed: number }> {
  // Counters are kept back for up to a second; this pushes them out before the server says that it is ready for more.
  await reader`SELECT pg_stat_force_next_flush()`;
  const indexes = await reader<{ name: string; read: string }[]>`
    SELECT parent.inhparent::regclass::text AS name, sum(idx_tup_read)::text AS read
    FROM pg_stat_user_indexes JOIN pg_inherits parent ON parent.inhrelid = indexrelid
    WHERE relname LIKE 'payment\_events\_%' GROUP BY 1`;
  const [tables] = await reader<{ read: string }[]>`
    SELECT sum(seq_tup_read)::text AS read FROM pg_stat_user_tables WHERE relname LIKE 'payment\_events\_%'`;
  return { byIndex: new Map(indexes.map(({ name, read }) => [name, Number(read)])), unindexed: Number(tables?.read ?? 0) };
}
