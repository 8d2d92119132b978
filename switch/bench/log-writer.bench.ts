/**
 * Question: how many authorizations a second can the payment log take on its own, intent and outcome each committed, and what do they
 * cost in CPU here and in PostgreSQL? Run: `node switch/bench/log-writer.bench.ts [--json]`. PostgreSQL as it comes: fsync and
 * synchronous_commit on.
 */
import { readdirSync, readFileSync } from "node:fs";
import { makeId } from "@florin/kernel";
import { connectPostgres, createServiceDatabase } from "@florin/runtime/postgres";
import { createRandomPool } from "@florin/runtime/random";
import { startTelemetry } from "@florin/runtime/telemetry";
import { testPostgres } from "@florin/runtime/testing";
import { draft, recordAuthorization, requestAuthorization, type Transition } from "../src/domain/payment/index.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleOrigin, sampleOutcomes } from "../src/domain/payment/samples.ts";
import { migrate } from "../src/migrate.ts";
import { createLogWriter, type LogWriter } from "../src/store/log-writer.ts";

const roundMs = 4_000;
const inFlightSteps = [1, 64, 256, 1_024, 4_096];
const ticksPerSecond = 100;

const postgres = await testPostgres();
const { ownerUrl, appUrl } = await createServiceDatabase({
  superuserUrl: postgres.superuserUrl,
  database: "florin_switch",
  ownerPassword: "bench",
  appPassword: "bench",
});
await migrate(ownerUrl);
const sql = connectPostgres({ url: appUrl, name: "bench", connectionsMax: 4 });
const { metrics } = startTelemetry({ service: "switch", otlpUrl: "", traceRatio: 0 });
const writer = createLogWriter({ sql, metrics });
const random = createRandomPool();
const merchantId = makeId("merchant", Date.now(), random(10));

/** CPU seconds of every PostgreSQL process on this machine, dead children included. */
function postgresCpuS(): number {
  let ticks = 0;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      if (!stat.includes("(postgres")) continue;
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // The process ended while we looked.
    }
  }
  return ticks / ticksPerSecond;
}

function appended(answer: { kind: string; transition?: Transition }): Transition {
  if (answer.transition === undefined) throw new Error(answer.kind);
  return answer.transition;
}

async function authorizeOnce(log: LogWriter): Promise<void> {
  const nowMs = Date.now();
  const attemptId = makeId("attempt", nowMs, random(10));
  const payment = draft(sampleCreate({ id: makeId("payment", nowMs, random(10)), merchantId }), nowMs);
  const context = { nowMs, origin: sampleOrigin, idempotencyDegraded: false };
  const intent = appended(requestAuthorization(payment, sampleAttempt(attemptId), context));
  const claim = { key: attemptId, requestHash: Buffer.alloc(32, 1) };
  const first = await log.append(intent, claim);
  const outcome = appended(
    recordAuthorization(
      intent.payment,
      { attemptId, outcome: sampleOutcomes.approved },
      { ...context, authorizationLifetimeMs: sampleLifetimeMs },
    ),
  );
  const second = await log.append(outcome, undefined);
  if (first.kind !== "appended" || second.kind !== "appended") throw new Error(`${first.kind} ${second.kind}`);
}

async function round(inFlight: number) {
  const endMs = performance.now() + roundMs;
  const ownBefore = process.cpuUsage();
  const postgresBefore = postgresCpuS();
  const startedMs = performance.now();
  let done = 0;
  const worker = async () => {
    while (performance.now() < endMs) {
      await authorizeOnce(writer);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - startedMs) / 1000;
  const own = process.cpuUsage(ownBefore);
  return {
    in_flight: inFlight,
    authorizations_per_s: Math.round(done / seconds),
    writer_cpu_us: Number(((own.user + own.system) / done).toFixed(1)),
    postgres_cpu_us: Number((((postgresCpuS() - postgresBefore) * 1e6) / done).toFixed(1)),
  };
}

await round(64);
const rows = [];
for (const inFlight of inFlightSteps) rows.push(await round(inFlight));
if (process.argv.includes("--json")) console.log(JSON.stringify(rows));
else console.table(rows);
await writer.close();
await sql.end();
await postgres.stop();
process.exit(0);
