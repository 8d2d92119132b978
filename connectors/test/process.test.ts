/** The process itself: what it says about its health, and that a signal loses no answer. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
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
let callbackPort: number;
const callbackKey = randomBytes(32);
const previousKey = randomBytes(32);
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
  callbackPort = await freePort();
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
      FLORIN_SIMLATER_URL: simulator.url,
      FLORIN_SIMLATER_API_KEY: "simlater_test",
      FLORIN_SIMLATER_CALLBACK_KEY: callbackKey.toString("hex"),
      FLORIN_SIMLATER_CALLBACK_KEY_PREVIOUS: previousKey.toString("hex"),
      FLORIN_CALLBACK_PORT: String(callbackPort),
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
  // simlater is not played here: the process is ready all the same.
  await expect
    .poll(async () => (await fetch(`${adminUrl}/health/ready`)).json())
    .toEqual({ ready: true, parts: { vault: "up", simlater: "degraded", simpay: "up" } });
});

test("callbacks have a port of their own, and are counted by what became of them", async () => {
  const post = async (eventId: string, keyId: string, key: Buffer) => {
    const body = JSON.stringify({ eventId, report: reportOf(newId("attempt")) });
    const time = String(Math.floor(Date.now() / 1_000));
    const signature = createHmac("sha256", key).update(`${time}.${body}`).digest("hex");
    const headers = { "x-later-key": keyId, "x-later-time": time, "x-later-signature": signature };
    return (await fetch(`http://127.0.0.1:${callbackPort}/callbacks/simlater`, { method: "POST", headers, body })).status;
  };
  expect(await post("e1", "simlater-1", randomBytes(32))).toBe(401);
  expect(await post("e1", "simlater-1", callbackKey)).toBe(200);
  // While the processor goes over from one key to the next, both are believed, each under its name.
  expect(await post("e1", "simlater-0", previousKey)).toBe(200);
  expect(await post("e2", "simlater-0", callbackKey)).toBe(401);
  const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
  for (const [result, count] of Object.entries({ signature_wrong: 2, unawaited: 1, repeated: 1 }))
    expect(metrics).toMatch(new RegExp(`connectors_callbacks_total\\{connector="simlater",result="${result}"\\} ${count}\\b`));
});

function reportOf(orderRef: string) {
  const words = { ticket: "sl_1", step: "ORDER", verdict: "GRANTED", why: "FINE", approval: "", addressCheck: "", codeCheck: "" };
  return { orderRef, ...words, total: { value: "1.00", ccy: "EUR" } };
}

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
