/**
 * Question: what does posting cost per authorization (one intent, one approval), in the ledger and in PostgreSQL, from the bytes of the
 * log to committed books?  Goal: at most 12 CPU-µs, together with the relay and the broker at most 25.
 *
 *   node ledger/bench/posting.ts [authorizations=100000]
 *
 * Batches are made before the clock starts; `fsync` and `synchronous_commit` are on. CPU is user + system of this process and of all
 * PostgreSQL processes.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { EventBatchSchema } from "@florin/gen/events/v1/events";
import { connectPostgres, createServiceDatabase } from "@florin/runtime/postgres";
import { testPostgres } from "@florin/runtime/testing";
import { createPoster } from "../src/app/post-batches.ts";
import { readBookedEvent } from "../src/consumers/booked-event.ts";
import { batchesOf, type PlacedEvent } from "../src/consumers/wire-samples.ts";
import { eventsOfLife, sampleId } from "../src/domain/samples.ts";
import { migrate } from "../src/migrate.ts";
import { readTrialBalance } from "../src/store/books.ts";

const authorizations = Number(process.argv[2] ?? 100_000);
const merchants = 50;
const microsecondsPerTick = 10_000;

const server = await testPostgres();
try {
  const { ownerUrl, appUrl } = await createServiceDatabase({
    superuserUrl: server.superuserUrl,
    database: "florin_ledger",
    ownerPassword: "owner",
    appPassword: "app",
  });
  await migrate(ownerUrl);
  const rows: Record<string, string | number>[] = [];
  let firstPosition = 0n;
  for (const eventsPerTransaction of [32, 128, 512, 2_048]) {
    const sql = connectPostgres({ url: appUrl, name: "bench", connectionsMax: 2 });
    rows.push(await run(sql, eventsPerTransaction, firstPosition));
    firstPosition += BigInt(authorizations) * 2n;
    const { lines } = await readTrialBalance(sql);
    if (lines.some((line) => line.debits !== line.credits)) throw new Error("the books do not balance");
    await sql.end();
  }
  console.table(rows);
} finally {
  await server.stop();
}

async function run(sql: ReturnType<typeof connectPostgres>, eventsPerTransaction: number, firstPosition: bigint) {
  const transactions = makeTransactions(eventsPerTransaction, firstPosition);
  const poster = createPoster(sql);
  // The prepared statement and the code are warm before the clock starts.
  for (const messages of transactions.slice(0, 5)) await poster.post(messages.map(decode));
  await sleep(50);
  const measured = transactions.slice(5);
  const before = { own: process.cpuUsage(), postgres: postgresTicks(), at: performance.now() };
  for (const messages of measured) await poster.post(messages.map(decode));
  const own = process.cpuUsage(before.own);
  await sleep(50);
  const seconds = (performance.now() - before.at - 50) / 1_000;
  const count = (measured.length * eventsPerTransaction) / 2;
  const ownMicroseconds = (own.user + own.system) / count;
  const postgresMicroseconds = ((postgresTicks() - before.postgres) * microsecondsPerTick) / count;
  return {
    "events per transaction": eventsPerTransaction,
    "events/s": Math.round((count * 2) / seconds),
    "ledger CPU-µs/auth": ownMicroseconds.toFixed(1),
    "PostgreSQL CPU-µs/auth": postgresMicroseconds.toFixed(1),
    "sum CPU-µs/auth": (ownMicroseconds + postgresMicroseconds).toFixed(1),
  };
}

/** Broker messages (bytes) of one transaction each. */
function makeTransactions(eventsPerTransaction: number, firstPosition: bigint): Uint8Array[][] {
  const events: PlacedEvent[] = [];
  for (let number = 0; number < authorizations; number++) {
    const life = {
      paymentId: sampleId("payment", Number(firstPosition) + number * 7),
      merchantId: sampleId("merchant", number % merchants),
      mode: "live",
      currency: "EUR",
      amount: 1_999n,
    } as const;
    for (const event of eventsOfLife({ ...life, choices: [{ step: "authorize", share: 1 }] })) {
      events.push({ position: firstPosition + BigInt(events.length + 1), event });
    }
  }
  const transactions: Uint8Array[][] = [];
  for (let start = 0; start < events.length; start += eventsPerTransaction) {
    const part = events.slice(start, start + eventsPerTransaction);
    transactions.push(batchesOf(part, eventsPerTransaction).map((batch) => toBinary(EventBatchSchema, batch)));
  }
  return transactions;
}

function decode(message: Uint8Array) {
  const batch = fromBinary(EventBatchSchema, message);
  return {
    partition: batch.partition,
    throughPosition: batch.throughPosition,
    events: batch.events.map(({ position, body }) => ({ position, event: readBookedEvent(position, body) })),
  };
}

/** user + system ticks of the postmaster and all its children. */
function postgresTicks(): number {
  if (server.pid === undefined) return 0;
  let ticks = 0;
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const fields = readFileSync(`/proc/${entry}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ");
      if (entry === String(server.pid) || fields[1] === String(server.pid)) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // The process ended meanwhile.
    }
  }
  return ticks;
}
