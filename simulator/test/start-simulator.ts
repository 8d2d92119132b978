/** A simulator on a free port with books of its own, and a caller for it. */
import { Secret } from "@florin/kernel";
import { connectPostgres, createServiceDatabase } from "@florin/runtime/postgres";
import { createLogger, startTelemetry } from "@florin/runtime/telemetry";
import { testPostgres } from "@florin/runtime/testing";
import type { IssuerModel } from "../src/domain/issuer-model.ts";
import { parseLatency } from "../src/domain/latency.ts";
import { migrate } from "../src/migrate.ts";
import { buildSimulator, type SimulatorOptions } from "../src/rest/app.ts";

export type Reply = { readonly status: number; readonly body: Record<string, unknown> };

type StartOptions = {
  latency?: string;
  iso8583?: { port: number; macKey: Secret };
  issuers?: IssuerModel;
  simlater?: SimulatorOptions["simlater"];
};

export async function startSimulator(options: StartOptions = {}) {
  const server = await testPostgres();
  const { ownerUrl, appUrl } = await createServiceDatabase({
    superuserUrl: server.superuserUrl,
    database: "florin_simulator",
    ownerPassword: "owner-secret",
    appPassword: "app-secret",
  });
  await migrate(ownerUrl);
  const sql = connectPostgres({ url: appUrl, name: "test", connectionsMax: 4 });
  const latency = parseLatency(options.latency ?? "none");
  if (latency === undefined) throw new Error("no such latency");
  const app = buildSimulator({
    sql,
    apiKey: new Secret(Buffer.from("simpay_test")),
    latency,
    refundDelayMs: 50,
    issuers: options.issuers,
    simlater: options.simlater,
    iso8583: options.iso8583 === undefined ? undefined : { host: "127.0.0.1", ...options.iso8583 },
    logger: createLogger({ service: "simulator", level: "error" }),
    telemetry: startTelemetry({ service: "simulator", otlpUrl: "", traceRatio: 0 }),
  });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const call = async (method: string, path: string, body?: unknown, key?: string): Promise<Reply> => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: "Bearer simpay_test",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key === undefined ? {} : { "idempotency-key": key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };
  const stop = async (): Promise<void> => {
    await app.close();
    await sql.end({ timeout: 5 });
    await server.stop();
  };
  return { url, sql, call, stop };
}

export type TestSimulator = Awaited<ReturnType<typeof startSimulator>>;

export function authorizationBody(change: Record<string, unknown> = {}, card: Record<string, unknown> = {}) {
  return {
    merchant_id: "mer_1",
    payment_id: "pay_1",
    amount: 1_000,
    currency: "EUR",
    ...change,
    card: { number: "4242424242424242", exp_month: 12, exp_year: 2035, cvc: "123", ...card },
  };
}
