/** Forgets declined tries that are too old to count. Every replica does it; rows that another one has taken are gone already. */
import type { Sql } from "@florin/runtime/postgres";
import type { Logger } from "@florin/runtime/telemetry";

const rhythmMs = 60 * 60 * 1000;
/** A day more than the networks' longest window. */
const keptDays = 31;
const rowsPerStatementMax = 10_000;
const statementsMax = 100;

export function startForgettingDeclines(o: { readonly sql: Sql; readonly logger: Logger }): { stop(): void } {
  const timer = setInterval(
    () => void forgetDeclines(o.sql).catch((err: unknown) => o.logger.warn({ err }, "old declines could not be forgotten")),
    rhythmMs,
  ).unref();
  return { stop: () => clearInterval(timer) };
}

/** How many were forgotten. */
export async function forgetDeclines(sql: Sql): Promise<number> {
  let forgotten = 0;
  for (let statement = 0; statement < statementsMax; statement++) {
    // index: card_declines_by_age
    const { count } = await sql`
      DELETE FROM card_declines WHERE ctid IN (
        SELECT ctid FROM card_declines WHERE declined_at < now() - make_interval(days => ${keptDays}) LIMIT ${rowsPerStatementMax}
      )`;
    forgotten += count;
    if (count < rowsPerStatementMax) break;
  }
  return forgotten;
}
