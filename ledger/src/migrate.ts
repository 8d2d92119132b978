/**
 * Brings the ledger's database up to date. `node ledger/src/migrate.ts` reads FLORIN_DATABASE_OWNER_URL.
 */
import { fileURLToPath } from "node:url";
import { readSecretVariable } from "@florin/runtime/config";
import { runMigrations } from "@florin/runtime/postgres";

/** Safe to repeat and to run twice at once. The role `florin_ledger_app` must exist: the migrations grant to it. */
export function migrate(ownerUrl: string): Promise<void> {
  return runMigrations({ ownerUrl, directory: fileURLToPath(new URL("../migrations", import.meta.url)), name: "ledger" });
}

if (import.meta.main) {
  const ownerUrl = readSecretVariable(process.env, "FLORIN_DATABASE_OWNER_URL");
  if (ownerUrl === undefined) {
    process.stderr.write("FLORIN_DATABASE_OWNER_URL is required: the ledger's database, owner role\n");
    process.exitCode = 1;
  } else await migrate(ownerUrl);
}
