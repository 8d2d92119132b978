/**
 * Numbered SQL files, applied in order, once, by one process at a time.
 *
 * Files are plain SQL with `-- Up Migration` and `-- Down Migration`, named `0001_what-it-does.sql`. They run while the previous release
 * is serving. An advisory lock makes concurrent starts wait for each other instead of failing.
 */
const migrationsTable = "schema_migrations";
/** A start waits at most this long for another start to finish its migrations. */
const lockWaitMsMax = 120_000;
const connectTimeoutMs = 10_000;

/** Brings the database of `ownerUrl` up to date; safe to repeat and to run twice at once. `directory` holds the .sql files. */
export async function runMigrations(options: { ownerUrl: string; directory: string; name: string }): Promise<void> {
  const messages: string[] = [];
  const keep = (message: string): void => {
    if (messages.push(message) > 50) messages.shift();
  };
  // Only where something is migrated: serving processes come through this room too, and would keep the 4 MB of the runner and its driver.
  const { runner } = await import("node-pg-migrate");
  try {
    await runner({
      databaseUrl: {
        connectionString: options.ownerUrl,
        application_name: `${options.name}-migrate`,
        connectionTimeoutMillis: connectTimeoutMs,
        statement_timeout: lockWaitMsMax,
      },
      dir: options.directory,
      ignorePattern: "(?!.*\\.sql$).*",
      direction: "up",
      migrationsTable,
      checkOrder: true,
      advisoryLockMode: "wait",
      verbose: false,
      logger: { debug: () => {}, info: keep, warn: keep, error: keep },
    });
  } catch (thrown) {
    throw new Error(`migrations of ${options.name} failed: ${lastLines(messages)}`, { cause: thrown });
  }
}

function lastLines(messages: readonly string[]): string {
  return messages.slice(-10).join("\n");
}
