/**
 * `node ledger/src/rebuild.ts`: rebuilds the books from the switch's log into an empty database and compares every balance with the
 * books in use. Ends with 0 when they are the same, with 1 and a table when they are not.
 *
 * FLORIN_REBUILD_DATABASE_URL: an empty, migrated database (`node ledger/src/migrate.ts`), application role. The other settings are
 * the ledger's own. The ledger may run meanwhile.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { EventLogService } from "@florin/gen/events/v1/events";
import { createDirectSource } from "@florin/runtime/bus";
import { choice, defineConfig, loadConfig, text, url } from "@florin/runtime/config";
import { connectPostgres } from "@florin/runtime/postgres";
import { connectUnary } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { loadTls } from "@florin/runtime/tls";
import { createBookkeeper } from "./app/bookkeeper.ts";
import { compareBalances, startRebuild } from "./app/rebuild.ts";
import { createLogIntake } from "./consumers/payment-log.ts";
import { progressOfNothing } from "./domain/progress.ts";
import { readAllBalances, readNewestTransfers } from "./store/books.ts";
import { consumerName } from "./workers/follow-log.ts";

const progressPeriodMs = 200;

const protocols = ["postgres", "postgresql"];
const config = loadConfig(
  defineConfig("ledger rebuild", {
    logLevel: choice({
      env: "FLORIN_LOG_LEVEL",
      help: "least severe line that is logged",
      values: ["debug", "info", "warn", "error"],
      default: "info",
    }),
    tlsDir: text({ env: "FLORIN_TLS_DIR", help: "folder with ca.pem, ledger.pem and ledger-key.pem, or the word off (benches only)" }),
    databaseUrl: url({ env: "FLORIN_DATABASE_URL", help: "the books in use", protocols }),
    rebuildDatabaseUrl: url({ env: "FLORIN_REBUILD_DATABASE_URL", help: "an empty, migrated database", protocols }),
    switchAddress: text({ env: "FLORIN_SWITCH_ADDRESS", help: "host:port of the switch whose log is read" }),
  }),
  process.env,
);
const logger = createLogger({ service: "ledger-rebuild", level: config.logLevel });
const kept = connectPostgres({ url: config.databaseUrl, name: "florin-ledger-rebuild", connectionsMax: 1 });
const rebuilt = connectPostgres({ url: config.rebuildDatabaseUrl, name: "florin-ledger-rebuild", connectionsMax: 2 });
const eventLog = connectUnary(EventLogService, {
  address: config.switchAddress,
  tls: loadTls(config.tlsDir, "ledger"),
  peerName: "switch",
  logger,
});
try {
  const inUse = await kept.begin("isolation level repeatable read read only", async (moment) => ({
    ...(await readAllBalances(moment)),
    newestTransfers: await readNewestTransfers(moment),
  }));
  const rebuild = await startRebuild({ sql: rebuilt, goal: inUse.progress, newestTransfers: inUse.newestTransfers });
  const bookkeeper = createBookkeeper({ poster: rebuild, onPosted: () => {} });
  const done = new AbortController();
  const intake = createLogIntake({ bookkeeper, onFault: () => done.abort() });
  const following = createDirectSource({ client: eventLog, logger }).follow({
    consumer: consumerName,
    afterPositions: progressOfNothing,
    handle: intake.handle,
    signal: done.signal,
  });
  while (!rebuild.isDone() && !done.signal.aborted) await sleep(progressPeriodMs);
  done.abort();
  await following;
  await intake.finish();
  const differences = compareBalances(inUse.balances, (await readAllBalances(rebuilt)).balances);
  for (const { account, kept: left, rebuilt: right } of differences)
    logger.error({ account, kept: left, rebuilt: right }, "balances differ");
  logger.info({ accounts: inUse.balances.size, differences: differences.length }, "rebuild compared");
  process.exitCode = differences.length === 0 ? 0 : 1;
} finally {
  await eventLog.close();
  await Promise.all([kept.end({ timeout: 5 }), rebuilt.end({ timeout: 5 })]);
}
