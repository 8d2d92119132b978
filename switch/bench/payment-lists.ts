/**
 * Question: lists of payments from partial indexes on the log's first rows, or from a projection that follows the log: which costs less
 * per authorization in total, and how fast does each answer a merchant who has 200,000 payments? Run:
 * `node switch/bench/payment-lists.ts [--writes | --reads] [--json]`; Linux. PostgreSQL as it comes: fsync and synchronous_commit on.
 *
 * An authorization is an intent and an outcome, 20 ms apart, each committed. Its cost is CPU of this process and of PostgreSQL, write-ahead
 * log and disk, medians of nine rounds. The projection is counted until it has caught up and what it superseded is vacuumed away.
 */
import { required } from "@florin/kernel";
import { connectPostgres, createServiceDatabase } from "@florin/runtime/postgres";
import { startTelemetry } from "@florin/runtime/telemetry";
import { testPostgres } from "@florin/runtime/testing";
import { migrate } from "../src/migrate.ts";
import { compareReads } from "./lists/reads.ts";
import { compareWrites } from "./lists/writes.ts";

const postgres = await testPostgres();
try {
  const postgresPid = required(postgres.pid, "a PostgreSQL of our own, whose processes can be counted");
  await prepareServer(postgres.superuserUrl);
  const urls = await createServiceDatabase({
    superuserUrl: postgres.superuserUrl,
    database: "florin_switch",
    ownerPassword: "bench",
    appPassword: "bench",
  });
  await migrate(urls.ownerUrl);
  const { metrics } = startTelemetry({ service: "switch", otlpUrl: "", traceRatio: 0 });
  if (!process.argv.includes("--reads"))
    print("per authorization", await compareWrites({ postgresPid, superuserUrl: postgres.superuserUrl, ...urls, metrics }));
  if (!process.argv.includes("--writes")) print("per list, milliseconds", await compareReads(urls));
} finally {
  await postgres.stop();
}
process.exit(0);

/** Vacuum runs when the bench says so, and then for all alike; nothing else differs from the stack's settings. */
async function prepareServer(superuserUrl: string): Promise<void> {
  const sql = connectPostgres({ url: superuserUrl, name: "bench-setup", connectionsMax: 1 });
  await sql`ALTER SYSTEM SET autovacuum = off`;
  await sql`SELECT pg_reload_conf()`;
  const [durable] = await sql<{ fsync: string; commit: string }[]>`
    SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit`;
  if (durable?.fsync !== "on" || durable.commit !== "on") throw new Error("commits are not durable: the figures would mean nothing");
  await sql.end();
}

function print(title: string, rows: readonly Record<string, string | number>[]): void {
  if (process.argv.includes("--json")) console.log(JSON.stringify({ title, rows }));
  else {
    console.log(title);
    console.table(rows);
  }
}
