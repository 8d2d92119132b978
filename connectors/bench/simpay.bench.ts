/**
 * Question: what does one authorization cost the connectors process, and which part of it is the HTTP client?
 *
 * `node connectors/bench/simpay.bench.ts [authorizations]`. The acquirer approves after 20 ms in another process; the vault is a double in
 * another process; 256 authorizations are in flight. CPU is user + system of the measured process only.
 * 1. the client path alone: request bytes, exchange, answer, in this process; beside it undici, the general client of Node, doing the same;
 * 2. the whole process (`main.ts`): frame in, card from the vault by frame, simpay, frame out; with and without mTLS.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { ConnectorService, OutcomeKind } from "@florin/gen/connectors/v1/connectors";
import { makeId, Secret } from "@florin/kernel";
import { connectFramed } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { freePort, temporaryFolder, untilTrue } from "@florin/runtime/testing";
import { loadTls, makeCertificates } from "@florin/runtime/tls";
import { Pool } from "undici";
import { createSimpay } from "../src/simpay/simpay.ts";
import { testCard } from "../test/cards.ts";

const total = Number(process.argv[2] ?? 20_000);
const inFlight = 256;
const apiKey = "simpay_bench_0123456789abcdef";
const children: ChildProcess[] = [];

type Row = { readonly what: string; readonly cpuUs: number; readonly perSecond: number };

async function main(): Promise<void> {
  const acquirerPort = await printedPort(start("fixed-acquirer.ts", []));
  const url = `http://127.0.0.1:${acquirerPort}`;
  const rows: Row[] = [await benchSimpay(url), await benchUndici(url)];
  for (const tls of ["off", "mutual"] as const) rows.push(await benchProcess(url, tls));
  print(rows);
}

const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));
const merchantId = newId("merchant");
const commandOf = () => ({
  reference: newId("attempt"),
  merchantId,
  paymentId: newId("payment"),
  merchantReference: "order-4711",
  amount: 1_000n,
  currency: "EUR",
  capture: false,
});
/** Made beforehand: making ids is not what is measured. */
const commands = Array.from({ length: 2_000 }, commandOf);
const commandAt = (index: number) => commands[index % commands.length] as ReturnType<typeof commandOf>;
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

async function benchSimpay(url: string): Promise<Row> {
  const connector = createSimpay({
    url: new URL(url),
    apiKey: new Secret(Buffer.from(apiKey)),
    connectionsMax: inFlight,
    waitingMax: inFlight,
    connectTimeoutMs: 3_000,
  });
  const card = testCard("approved");
  const row = await measure("simpay connector, own link (1)", ownCpuUs, async (index) => {
    const outcome = await connector.authorize(commandAt(index), card, { deadlineAtMs: Date.now() + 10_000, traceparent });
    if (outcome.kind !== "approved") throw new Error(JSON.stringify(outcome));
  });
  await connector.close();
  return row;
}

async function benchUndici(url: string): Promise<Row> {
  const pool = new Pool(url, { connections: inFlight, pipelining: 1 });
  const number = "4242424242424242";
  const row = await measure("same bytes, undici Pool.dispatch (1)", ownCpuUs, (index) => {
    const { reference, amount, ...fields } = commandAt(index);
    const card = { number, exp_month: 12, exp_year: 2035, cvc: "123", postal_code: "1010" };
    const body = Buffer.from(JSON.stringify({ ...fields, amount: Number(amount), card }));
    const headers = [
      ...["authorization", `Bearer ${apiKey}`, "content-type", "application/json", "idempotency-key", reference],
      ...["x-timeout-ms", "10000", "traceparent", traceparent],
    ];
    return new Promise<void>((resolve, reject) => {
      const chunks: Buffer[] = [];
      pool.dispatch(
        { method: "POST", path: "/v1/authorizations", headers, body },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData(_controller, chunk) {
            chunks.push(chunk);
          },
          onResponseEnd() {
            const { status } = JSON.parse(Buffer.concat(chunks).toString()) as { status: string };
            if (status === "approved") resolve();
            else reject(new Error(status));
          },
          onResponseError: (_controller, error) => reject(error),
        },
      );
    });
  });
  await pool.close();
  return row;
}

async function benchProcess(url: string, tls: "off" | "mutual"): Promise<Row> {
  const folder = tls === "off" ? "off" : temporaryFolder();
  if (folder !== "off") await makeCertificates({ directory: folder, names: ["connectors", "vault", "switch"] });
  const vault = start("vault-process.ts", [folder]);
  const vaultPort = await printedPort(vault);
  const [grpcPort, adminPort] = [await freePort(), await freePort()];
  const process_ = start("../src/main.ts", [], {
    FLORIN_TLS_DIR: folder,
    FLORIN_GRPC_PORT: String(grpcPort),
    FLORIN_ADMIN_PORT: String(adminPort),
    FLORIN_VAULT_ADDRESS: `127.0.0.1:${vaultPort}`,
    FLORIN_SIMPAY_URL: url,
    FLORIN_SIMPAY_API_KEY: apiKey,
    FLORIN_LOG_LEVEL: "error",
  });
  const admin = `http://127.0.0.1:${adminPort}`;
  await untilTrue(async () => (await fetch(`${admin}/health/ready`)).status === 200, 10_000);
  const logger = createLogger({ service: "bench", level: "error" });
  const client = connectFramed(ConnectorService, { address: `127.0.0.1:${grpcPort}`, tls: loadTls(folder, "switch"), logger });
  await client.untilConnected(5_000);
  const cpuUs = async () => {
    const match = /^process_cpu_seconds_total\S* (\S+)/m.exec(await (await fetch(`${admin}/metrics`)).text());
    return Number(match?.[1]) * 1e6;
  };
  const row = await measure(`connectors process, frames with ${tls === "off" ? "no TLS" : "mTLS"} (2)`, cpuUs, async (index) => {
    const request = { ...commandAt(index), connector: "simpay", token: "tok_visa_4242" };
    const { outcome } = await client.authorize(request, { timeoutMs: 10_000, traceparent });
    if (outcome?.kind !== OutcomeKind.APPROVED) throw new Error(JSON.stringify(outcome));
  });
  await client.close();
  process_.kill("SIGTERM");
  vault.kill("SIGKILL");
  await once(process_, "exit");
  return row;
}

async function ownCpuUs(): Promise<number> {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function measure(what: string, cpuUs: () => Promise<number>, work: (index: number) => Promise<void>): Promise<Row> {
  await drive(Math.min(total, 8_000), work);
  const [cpuBefore, startedAtMs] = [await cpuUs(), performance.now()];
  await drive(total, work);
  const durationS = (performance.now() - startedAtMs) / 1_000;
  return { what, cpuUs: ((await cpuUs()) - cpuBefore) / total, perSecond: total / durationS };
}

async function drive(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const client = async () => {
    while (next < count) {
      next += 1;
      await work(next);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
}

function start(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const path = new URL(file, import.meta.url).pathname;
  const child = spawn(process.execPath, [path, ...args], { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  return child;
}

async function printedPort(child: ChildProcess): Promise<number> {
  for await (const chunk of child.stdout ?? []) return Number(String(chunk).trim());
  throw new Error("the process ended without printing its port");
}

function print(rows: readonly Row[]): void {
  console.log(`\n${total} authorizations, ${inFlight} in flight, acquirer at 20 ms`);
  console.log(`${"".padEnd(52)} CPU-µs each     per second`);
  for (const { what, cpuUs, perSecond } of rows)
    console.log(`${what.padEnd(52)} ${cpuUs.toFixed(1).padStart(11)} ${Math.round(perSecond).toString().padStart(14)}`);
}

try {
  await main();
} finally {
  for (const child of children) child.kill("SIGKILL");
}
process.exit();
