/** The process as it is started and stopped: with a switch that streams a log, and with a switch that is away. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { EventBatchSchema, EventLogService, SubscribeResponseSchema } from "@florin/gen/events/v1/events";
import { LedgerService } from "@florin/gen/ledger/v1/ledger";
import { connectUnary, implement, startRpcServer } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { freePort, type TestPostgres, temporaryFolder, testPostgres, untilTrue } from "@florin/runtime/testing";
import { loadTls, makeCertificates } from "@florin/runtime/tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { batches, fullLife, makeBooks, type TestBooks } from "./books.ts";

const logger = createLogger({ service: "ledger-test", level: "silent" });
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
let server: TestPostgres;
let books: TestBooks;
let directory: string;

beforeAll(async () => {
  server = await testPostgres();
  books = await makeBooks(server, "florin_ledger_process");
  directory = temporaryFolder();
  await makeCertificates({ directory, names: ["ledger", "client", "switch"] });
});
afterAll(async () => {
  await books.close();
  await server.stop();
});

type Started = { readonly child: ChildProcess; readonly adminUrl: string; readonly grpcPort: number };

async function start(switchPort: number): Promise<Started> {
  const [grpcPort, adminPort] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, [main], {
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      ...process.env,
      FLORIN_LOG_LEVEL: "error",
      FLORIN_TLS_DIR: directory,
      FLORIN_GRPC_PORT: String(grpcPort),
      FLORIN_ADMIN_PORT: String(adminPort),
      FLORIN_DATABASE_URL: books.appUrl,
      FLORIN_NATS_URL: "",
      FLORIN_SWITCH_ADDRESS: `127.0.0.1:${switchPort}`,
    },
  });
  return { child, adminUrl: `http://127.0.0.1:${adminPort}`, grpcPort };
}

async function isReady({ adminUrl }: Started): Promise<boolean> {
  return (await fetch(`${adminUrl}/health/ready`)).ok;
}

async function stop({ child }: Started): Promise<number | null> {
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

test("a switch that streams its log is followed, the books can be read, and a signal ends it cleanly", async () => {
  const log = batches([fullLife(1), fullLife(2), fullLife(3)], 1_000);
  const events = log.flatMap((batch) => batch.events).sort((left, right) => (left.position < right.position ? -1 : 1));
  const through = events.at(-1)?.position ?? 0n;
  const eventLog = implement(EventLogService, {
    async *subscribe(request, context) {
      const fresh = events.filter(({ position }) => position > request.afterPosition);
      yield create(SubscribeResponseSchema, { batch: create(EventBatchSchema, { throughPosition: through, events: fresh }) });
      await new Promise((resolve) => context.signal.addEventListener("abort", resolve, { once: true }));
    },
  });
  const host = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    tls: loadTls(directory, "switch"),
    services: [eventLog],
    policy: { ledger: ["florin.events.v1.EventLogService/*"] },
    allowInsecure: false,
    logger,
  });
  const ledger = await start(host.port);
  const client = connectUnary(LedgerService, { address: `127.0.0.1:${ledger.grpcPort}`, tls: loadTls(directory, "client"), logger });
  try {
    await untilTrue(() => isReady(ledger), 20_000);
    await untilTrue(async () => (await client.trialBalance({}, { timeoutMs: 2_000 })).lines.length === 2, 10_000);
    const trial = await client.trialBalance({}, { timeoutMs: 2_000 });
    expect(trial).toMatchObject({ isBalanced: true });
    expect(trial.lines[0]).toMatchObject({ debits: 3_750n, credits: 3_750n });
    const metrics = await (await fetch(`${ledger.adminUrl}/metrics`)).text();
    expect(metrics).toMatch(/ledger_posted_events_total\S* 27/);
  } finally {
    await client.close();
    expect(await stop(ledger)).toBe(0);
    await host.drain(500);
  }
});

test("without a switch the books can still be read", async () => {
  const ledger = await start(await freePort());
  const client = connectUnary(LedgerService, { address: `127.0.0.1:${ledger.grpcPort}`, tls: loadTls(directory, "client"), logger });
  try {
    await untilTrue(() => isReady(ledger), 20_000);
    expect(await client.trialBalance({}, { timeoutMs: 2_000 })).toMatchObject({ isBalanced: true });
  } finally {
    await client.close();
    expect(await stop(ledger)).toBe(0);
  }
});
