/** The process itself: what it says about its health, and that a signal loses no answer. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { ConnectorService, OutcomeKind } from "@florin/gen/connectors/v1/connectors";
import { makeId } from "@florin/kernel";
import { connectFramed, type RpcServer } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { freePort, temporaryFolder, untilTrue } from "@florin/runtime/testing";
import { loadTls, makeCertificates } from "@florin/runtime/tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type SimulatorProcess, simpayApiKey, startSimulator } from "./start-simulator.ts";
import { startVaultDouble } from "./vault-double.ts";

const logger = createLogger({ service: "test", level: "silent" });
const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));

let simulator: SimulatorProcess;
let vault: RpcServer;
let connectors: ChildProcess;
let grpcPort: number;
let adminUrl: string;
let certificates: string;

beforeAll(async () => {
  certificates = temporaryFolder();
  await makeCertificates({ directory: certificates, names: ["connectors", "vault", "switch"] });
  simulator = await startSimulator();
  const vaultPort = await freePort();
  const startVault = () => startVaultDouble({ tls: loadTls(certificates, "vault"), logger, port: vaultPort });
  grpcPort = await freePort();
  const adminPort = await freePort();
  adminUrl = `http://127.0.0.1:${adminPort}`;
  connectors = spawn(process.execPath, [new URL("../src/main.ts", import.meta.url).pathname], {
    env: {
      ...process.env,
      FLORIN_TLS_DIR: certificates,
      FLORIN_GRPC_PORT: String(grpcPort),
      FLORIN_ADMIN_PORT: String(adminPort),
      FLORIN_VAULT_ADDRESS: `127.0.0.1:${vaultPort}`,
      FLORIN_SIMPAY_URL: simulator.url,
      FLORIN_SIMPAY_API_KEY: simpayApiKey,
      FLORIN_LOG_LEVEL: "error",
      FLORIN_DIE_WITH_PARENT: "1",
    },
    stdio: ["pipe", "inherit", "inherit"],
  });
  await untilTrue(async () => (await fetch(`${adminUrl}/health/live`)).status === 200, 15_000);
  const early = await fetch(`${adminUrl}/health/ready`);
  expect([early.status, await early.json()]).toMatchObject([503, { ready: false, parts: { vault: "down" } }]);
  vault = await startVault();
});

afterAll(async () => {
  connectors?.kill("SIGKILL");
  await vault?.drain(500);
  await simulator?.stop();
});

test("it is ready once the vault is connected, and shows each processor's link", async () => {
  await untilTrue(async () => (await fetch(`${adminUrl}/health/ready`)).status === 200, 10_000);
  const report = await (await fetch(`${adminUrl}/health/ready`)).json();
  expect(report).toEqual({ ready: true, parts: { vault: "up", simpay: "up" } });
});

test("SIGTERM while processors are at work: every command gets its answer, then the process ends with 0", async () => {
  const address = `127.0.0.1:${grpcPort}`;
  const client = connectFramed(ConnectorService, { address, tls: loadTls(certificates, "switch"), logger });
  expect(await client.untilConnected(5_000)).toBe(true);
  await simulator.call("PUT", "/admin/latency", { latency: "600" });
  const asked = Array.from({ length: 20 }, () =>
    client.authorize(
      {
        connector: "simpay",
        reference: newId("attempt"),
        merchantId: newId("merchant"),
        paymentId: newId("payment"),
        amount: 1_000n,
        currency: "EUR",
        token: "tok_visa_4242",
      },
      { timeoutMs: 10_000 },
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 250));
  const exited = once(connectors, "exit");
  connectors.kill("SIGTERM");
  for (const { outcome } of await Promise.all(asked)) expect(outcome?.kind).toBe(OutcomeKind.APPROVED);
  expect((await exited)[0]).toBe(0);
  await client.close();
});
