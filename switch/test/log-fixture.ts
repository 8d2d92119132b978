/** A fresh switch database on a real PostgreSQL, and payments to write into it. */
import { randomBytes } from "node:crypto";
import { makeId } from "@florin/kernel";
import { connectPostgres, createServiceDatabase, dropServiceDatabase, type Sql } from "@florin/runtime/postgres";
import { startTelemetry } from "@florin/runtime/telemetry";
import { testPostgres } from "@florin/runtime/testing";
import { draft, requestAuthorization, type Transition } from "../src/domain/payment/index.ts";
import { sampleAttempt, sampleCreate, sampleOrigin } from "../src/domain/payment/samples.ts";
import { migrate } from "../src/migrate.ts";
import { createLogReader, type LogReader } from "../src/store/log-reader.ts";
import { createLogWriter, type LogWriter } from "../src/store/log-writer.ts";

export type LogFixture = {
  /** The application role. */
  readonly sql: Sql;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly writer: LogWriter;
  readonly reader: LogReader;
  stop(): Promise<void>;
};

export async function startLog(): Promise<LogFixture> {
  const postgres = await testPostgres();
  await dropServiceDatabase({ superuserUrl: postgres.superuserUrl, database: "florin_switch" });
  const names = { database: "florin_switch", ownerPassword: "test", appPassword: "test" };
  const { ownerUrl, appUrl } = await createServiceDatabase({ superuserUrl: postgres.superuserUrl, ...names });
  await migrate(ownerUrl);
  const sql = connectPostgres({ url: appUrl, name: "test", connectionsMax: 6 });
  const { metrics } = startTelemetry({ service: "switch", otlpUrl: "", traceRatio: 0 });
  const writer = createLogWriter({ sql, metrics });
  return {
    sql,
    ownerUrl,
    appUrl,
    writer,
    reader: createLogReader(sql),
    async stop() {
      await writer.close();
      await sql.end({ timeout: 5 });
      await postgres.stop();
    },
  };
}

export const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));

/** The first row of a new payment. */
export function intentOf(changes: Parameters<typeof sampleCreate>[0] = {}): Transition {
  const nowMs = Date.now();
  const payment = draft(sampleCreate({ id: newId("payment"), ...changes }), nowMs);
  const decision = requestAuthorization(payment, sampleAttempt(newId("attempt")), {
    nowMs,
    origin: sampleOrigin,
    idempotencyDegraded: false,
  });
  if (decision.kind !== "append") throw new Error("a draft can be authorized");
  return decision.transition;
}

export const claimOf = (key: string, fill = 1) => ({ key, requestHash: Buffer.alloc(32, fill) });
