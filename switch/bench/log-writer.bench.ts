/**
 * Question: how many authorizations a second can the payment log take on its own, intent and outcome each committed, and what do they
 * cost in CPU here and in PostgreSQL? Run: `node switch/bench/log-writer.bench.ts [--json]`. PostgreSQL as it comes: fsync and
 * synchronous_commit on.
 */
import { makeId, required } from "@florin/kernel";
import { connectPostgres, createServiceDatabase } from "@florin/runtime/postgres";
import { createRandomPool } from "@florin/runtime/random";
import { startTelemetry } from "@florin/runtime/telemetry";
import { testPostgres } from "@florin/runtime/testing";
import { draft, recordAuthorization, requestAuthorization, type Transition } from "../src/domain/payment/index.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleOrigin, sampleOutcomes } from "../src/domain/payment/samples.ts";
import { migrate } from "../src/migrate.ts";
import { createLogWriter, type LogWriter } from "../src/store/log-writer.ts";
import { serverMicros } from "./cpu.ts";

const roundMs = 4_000;
const inFlightSteps = [1, 64, 256, 1_024, 4_096];

const postgres = await testPostgres();
const postgresPid = required(postgres.pid, "a PostgreSQL of our own, whose processes can be counted");
const { ownerUrl, appUrl } = await createServiceDatabase({
  superuserUrl: postgres.superuserUrl,
  database: "florin_switch",
  ownerPassword: "bench",
  appPassword: "bench",
});
await migrate(ownerUrl);
const sql = connectPostgres({ url: appUrl, name: "bench", connectionsMax: 2, isPlannedOnce: true });
const { metrics } = startTelemetry({ service: "switch", otlpUrl: "", traceRatio: 0 });
const writer = createLogWriter({ sql, metrics });
const random = createRandomPool();
const merchantId = makeId("merchant", Date.now(), random(10));

function appended(answer: { kind: string; transition?: Transition }): Transition {
  if (answer.transition === undefined) throw new Error(answer.kind);
  return answer.transition;
}

async function authorizeOnce(log: LogWriter): Promise<void> {
  const nowMs = Date.now();
  const attemptId = makeId("attempt", nowMs, random(10));
  const payment = draft(sampleCreate({ id: makeId("payment", nowMs, random(10)), merchantId }), nowMs);
  const context = { nowMs, origin: sampleOrigin };
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
  const postgresBefore = serverMicros(postgresPid);
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
    postgres_cpu_us: Number(((serverMicros(postgresPid) - postgresBefore) / done).toFixed(1)),
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
