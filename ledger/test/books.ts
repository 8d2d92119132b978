/** A ledger database of its own for a test, and a log that the test writes. */
import type { EventBatch } from "@florin/gen/events/v1/events";
import { connectPostgres, createServiceDatabase, type Sql } from "@florin/runtime/postgres";
import type { TestPostgres } from "@florin/runtime/testing";
import { batchesOf, type PlacedEvent } from "../src/consumers/wire-samples.ts";
import { eventsOfLife, type Life, sampleId } from "../src/domain/samples.ts";
import { migrate } from "../src/migrate.ts";

const passwords = { ownerPassword: "owner-secret", appPassword: "app-secret" };

export type TestBooks = { readonly sql: Sql; readonly appUrl: string; readonly ownerUrl: string; close(): Promise<void> };

/** Databases beside the first one belong to the same roles, because the migrations grant to a fixed name. */
export async function makeBooks(server: TestPostgres, database: string): Promise<TestBooks> {
  const first = await createServiceDatabase({ superuserUrl: server.superuserUrl, database: "florin_ledger", ...passwords });
  const superuser = connectPostgres({ url: server.superuserUrl, name: "test", connectionsMax: 1 });
  await superuser.unsafe(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
  await superuser.unsafe(`CREATE DATABASE ${database} OWNER florin_ledger_owner`);
  await superuser.end();
  const [ownerUrl, appUrl] = [withDatabase(first.ownerUrl, database), withDatabase(first.appUrl, database)];
  await migrate(ownerUrl);
  const sql = connectPostgres({ url: appUrl, name: "test", connectionsMax: 3 });
  return { sql, ownerUrl, appUrl, close: () => sql.end({ timeout: 5 }) };
}

function withDatabase(text: string, database: string): string {
  const url = new URL(text);
  url.pathname = `/${database}`;
  return url.toString();
}

/** Events of many lives, interleaved life by life, with positions that have gaps as the log's have. */
export function logOf(lives: readonly Life[]): readonly PlacedEvent[] {
  const queues = lives.map((life) => [...eventsOfLife(life)]);
  const log: PlacedEvent[] = [];
  while (queues.some((queue) => queue.length > 0)) {
    for (const queue of queues) {
      const event = queue.shift();
      if (event !== undefined) log.push({ position: BigInt(log.length * 3 + 1), event });
    }
  }
  return log;
}

/** A payment that is authorized, captured in two parts, partly refunded. */
export function fullLife(number: number, change: Partial<Life> = {}): Life {
  return {
    paymentId: sampleId("payment", number),
    merchantId: sampleId("merchant", number % 3),
    mode: "live",
    currency: "EUR",
    amount: 1_000n,
    choices: [
      { step: "authorize", share: 1 },
      { step: "capture", share: 0.4 },
      { step: "capture", share: 1 },
      { step: "refund", share: 0.25 },
    ],
    ...change,
  };
}

export function batches(lives: readonly Life[], perBatch: number): EventBatch[] {
  return batchesOf(logOf(lives), perBatch);
}
