/** The whole process but its main: real gRPC with certificates, a vault, the real simulator. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { ConnectorService, OutcomeKind } from "@florin/gen/connectors/v1/connectors";
import { VaultService } from "@florin/gen/vault/v1/vault";
import { makeId, Secret } from "@florin/kernel";
import { type Client, connectFramed, connectUnary, type FramedConnection, type RpcServer, startRpcServer } from "@florin/runtime/rpc";
import { createLogger, startTelemetry, type Telemetry } from "@florin/runtime/telemetry";
import { portOfNobody, temporaryFolder, untilTrue } from "@florin/runtime/testing";
import { loadTls, makeCertificates } from "@florin/runtime/tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLinkGrants } from "../src/app/link-grants.ts";
import { createOperations } from "../src/app/operations.ts";
import { createSecretDesk } from "../src/app/secret-desk.ts";
import { createSecretSource } from "../src/app/secret-source.ts";
import { createNews } from "../src/callbacks/news.ts";
import { createCardOpener } from "../src/clients/vault.ts";
import type { Connector } from "../src/contract/connector.ts";
import { registryOf } from "../src/registry.ts";
import { createConnectorService } from "../src/rpc/connector-service.ts";
import { callerPolicy } from "../src/rpc/policy.ts";
import { createSimpay } from "../src/simpay/simpay.ts";
import { type SimulatorProcess, simpayApiKey, startSimulator } from "./start-simulator.ts";
import { startVaultDouble } from "./vault-double.ts";

const lines: string[] = [];
const logger = createLogger({ service: "connectors", level: "debug", write: (line) => void lines.push(line) });
const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));
const merchantId = newId("merchant");
const options = { timeoutMs: 5_000 };

const news = createNews(16);
let isVaultFailing = false;
let simulator: SimulatorProcess;
let telemetry: Telemetry;
let simpay: Connector;
let vault: RpcServer;
let vaultClient: Client<typeof VaultService> & FramedConnection;
let server: RpcServer;
let connectors: Client<typeof ConnectorService> & FramedConnection;
let address: string;
let certificates: string;
let secretsFolder: string;

beforeAll(async () => {
  certificates = temporaryFolder();
  secretsFolder = temporaryFolder();
  await makeCertificates({ directory: certificates, names: ["connectors", "vault", "switch", "client", "edge"] });
  simulator = await startSimulator();
  vault = await startVaultDouble({ tls: loadTls(certificates, "vault"), logger, fails: () => isVaultFailing });
  const tls = loadTls(certificates, "connectors");
  vaultClient = connectFramed(VaultService, { address: `127.0.0.1:${vault.port}`, tls, logger });
  telemetry = startTelemetry({ service: "connectors", otlpUrl: "", traceRatio: 0 });
  simpay = createSimpay({
    url: new URL(simulator.url),
    apiKey: new Secret(Buffer.from(simpayApiKey)),
    connectionsMax: 64,
    waitingMax: 64,
    connectTimeoutMs: 1_000,
  });
  const openCard = createCardOpener({ client: vaultClient, timeoutMs: 1_000, logger });
  const operations = createOperations({ registry: registryOf([simpay]), openCard, telemetry, operationTimeoutMsMax: 10_000 });
  const { metrics } = telemetry;
  const grants = createLinkGrants({
    registry: registryOf([simpay]),
    processId: "here",
    monotonicMs: () => performance.now(),
    metrics,
    logger,
  });
  const secrets = createSecretDesk({
    registry: registryOf([simpay]),
    read: createSecretSource({ folder: secretsFolder, variables: new Map() }),
    metrics,
    logger,
  });
  server = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    tls,
    services: [createConnectorService({ operations, grants, news, secrets })],
    policy: callerPolicy,
    allowInsecure: false,
    logger,
  });
  address = `127.0.0.1:${server.port}`;
  connectors = connectFramed(ConnectorService, { address, tls: loadTls(certificates, "switch"), logger });
  expect(await vaultClient.untilConnected(5_000)).toBe(true);
  expect(await connectors.untilConnected(5_000)).toBe(true);
});

afterAll(async () => {
  await connectors?.close();
  await server?.drain(2_000);
  await simpay?.close();
  await vaultClient?.close();
  await vault?.drain(1_000);
  await telemetry?.shutdown();
  await simulator?.stop();
});

const authorizeRequest = (change: Record<string, unknown> = {}) => ({
  connector: "simpay",
  reference: newId("attempt"),
  merchantId,
  paymentId: newId("payment"),
  amount: 1_000n,
  currency: "EUR",
  token: "tok_visa_4242",
  capture: false,
  ...change,
});

describe("authorize", () => {
  test("a token goes in, an outcome comes out, one charge is in the books", async () => {
    const request = authorizeRequest({ merchantReference: "order-1" });
    const { outcome } = await connectors.authorize(request, options);
    expect(outcome).toMatchObject({ kind: OutcomeKind.APPROVED, responseCode: "00", cvv: "match", isFinal: true, cause: "" });
    const books = await simulator.call("GET", `/admin/books/charges?payment_id=${request.paymentId}`);
    expect(books).toMatchObject({
      count: 1,
      charges: [{ reference: request.reference, merchant_reference: "order-1", card_last4: "4242" }],
    });
  });

  test("a hundred at once are a hundred charges", async () => {
    const before = await simulator.call("GET", "/admin/books/summary");
    const answers = await Promise.all(Array.from({ length: 100 }, () => connectors.authorize(authorizeRequest(), options)));
    expect(answers.every((answer) => answer.outcome?.kind === OutcomeKind.APPROVED)).toBe(true);
    const after = await simulator.call("GET", "/admin/books/summary");
    expect(Number(after["authorizations_approved"]) - Number(before["authorizations_approved"])).toBe(100);
  });

  test("a decline carries our reason and the processor's code", async () => {
    const { outcome } = await connectors.authorize(authorizeRequest({ token: "tok_visa_9995" }), options);
    expect(outcome).toMatchObject({ kind: OutcomeKind.DECLINED, declineReason: "insufficient_funds", responseCode: "51" });
  });

  test("a token that the vault does not know, or a vault that fails, means that nothing was sent", async () => {
    const unknownToken = await connectors.authorize(authorizeRequest({ token: "tok_nobody" }), options);
    expect(unknownToken.outcome).toMatchObject({ kind: OutcomeKind.NOT_SENT, cause: "token_not_found" });
    for (const [token, cause] of [
      ["tok_used", "token_already_used"],
      ["tok_expired", "token_expired"],
      ["tok_deleted", "token_deleted"],
    ] as const)
      expect((await connectors.authorize(authorizeRequest({ token }), options)).outcome).toMatchObject({
        kind: OutcomeKind.NOT_SENT,
        cause,
      });
    isVaultFailing = true;
    const request = authorizeRequest();
    const failing = await connectors.authorize(request, options);
    isVaultFailing = false;
    expect(failing.outcome).toMatchObject({ kind: OutcomeKind.NOT_SENT, cause: "vault_unavailable" });
    expect(await simulator.call("GET", `/admin/books/charges?reference=${request.reference}`)).toMatchObject({ count: 0, requests: 0 });
  });

  test("a caller's deadline becomes the processor's, and silence is an unknown outcome before the caller gives up", async () => {
    const request = authorizeRequest();
    const match = { reference_prefix: request.reference };
    await simulator.call("POST", "/admin/rules", { fault: "timeout_after_charge", match, times: 1 });
    const { outcome } = await connectors.authorize(request, { timeoutMs: 1_500 });
    expect(outcome).toMatchObject({ kind: OutcomeKind.UNKNOWN, cause: "timeout" });
    const queried = await connectors.query({ connector: "simpay", reference: request.reference }, options);
    expect(queried).toMatchObject({ found: true, outcome: { kind: OutcomeKind.APPROVED } });
    const about = { connector: "simpay", reference: request.reference, amount: request.amount, currency: request.currency };
    expect(await connectors.query(about, options)).toMatchObject({ found: true, outcome: { kind: OutcomeKind.APPROVED } });
    const mismatch = { found: true, outcome: { kind: OutcomeKind.UNKNOWN, cause: "answer_mismatch" } };
    expect(await connectors.query({ ...about, amount: about.amount + 1n }, options)).toMatchObject(mismatch);
    expect(await connectors.query({ ...about, currency: "USD" }, options)).toMatchObject(mismatch);
    for (const half of [{ currency: "" }, { amount: 0n }, { amount: -1n }])
      await expect(connectors.query({ ...about, ...half }, options)).rejects.toMatchObject({ work: "not_done" });
  });

  test.each([
    ["reference", { reference: "att_1" }],
    ["merchant_id", { merchantId: "mer_x" }],
    ["amount", { amount: 0n }],
    ["currency", { currency: "EURO" }],
    ["token", { token: "4242424242424242" }],
    ["connector", { connector: "nobody" }],
  ])("a bad %s is refused before anything is opened or sent", async (param, change) => {
    await expect(connectors.authorize(authorizeRequest(change), options)).rejects.toMatchObject({ work: "not_done", param });
  });
});

describe("the other operations", () => {
  test("capture, void the rest, refund, query", async () => {
    const authorization = authorizeRequest();
    const { outcome } = await connectors.authorize(authorization, options);
    const link = {
      connector: "simpay",
      authorizationReference: authorization.reference,
      processorReference: outcome?.processorReference ?? "",
      merchantId,
    };
    const captured = await connectors.capture({ ...link, reference: newId("capture"), amount: 400n, currency: "EUR" }, options);
    expect(captured.outcome).toMatchObject({ kind: OutcomeKind.APPROVED, isFinal: true });
    const voided = await connectors.void({ ...link, reference: newId("void") }, options);
    expect(voided.outcome).toMatchObject({ kind: OutcomeKind.APPROVED });
    const refund = { ...link, reference: newId("refund"), amount: 400n, currency: "EUR", reason: "returned" };
    expect((await connectors.refund(refund, options)).outcome).toMatchObject({ kind: OutcomeKind.APPROVED, isFinal: false });
    expect(await connectors.query({ connector: "simpay", reference: newId("refund") }, options)).toMatchObject({ found: false });
  });

  test("ping and the list of connectors are open to tools, money is not", async () => {
    const client = connectUnary(ConnectorService, { address, tls: loadTls(certificates, "client"), logger });
    expect(await client.ping({ connector: "simpay" }, options)).toMatchObject({ isUp: true });
    const { connectors: listed } = await client.listConnectors({}, options);
    expect(listed).toMatchObject([{ name: "simpay", capabilities: { idempotent: true, query: true, unknownStrategy: "query" } }]);
    await expect(client.authorize(authorizeRequest(), options)).rejects.toMatchObject({ code: "caller_not_allowed", work: "not_done" });
    await client.close();
    const edge = connectUnary(ConnectorService, { address, tls: loadTls(certificates, "edge"), logger });
    await expect(edge.ping({ connector: "simpay" }, options)).rejects.toMatchObject({ code: "caller_not_allowed" });
    await edge.close();
  });
});

test("the switch follows what processors call back about; tools do not", async () => {
  const item = { connector: "simpay", reference: newId("attempt") };
  news.publish(item);
  const ending = new AbortController();
  const heard: string[] = [];
  const later = { connector: "simpay", reference: newId("refund") };
  for await (const { items } of connectors.watchNews({}, { signal: ending.signal })) {
    heard.push(...items.map(({ reference }) => reference));
    if (heard.length === 1) news.publish(later);
    if (heard.length === 2) break;
  }
  expect(heard).toEqual([item.reference, later.reference]);
  const client = connectUnary(ConnectorService, { address, tls: loadTls(certificates, "client"), logger });
  const following = client.watchNews({}, { signal: ending.signal })[Symbol.asyncIterator]();
  await expect(following.next()).rejects.toMatchObject({ code: "caller_not_allowed" });
  await client.close();
});

describe("a key that is exchanged", () => {
  // Made up at each run; nobody's key.
  const canary = `canary-${randomBytes(16).toString("hex")}`;
  const pointTo = (name: string, version: number) =>
    connectors.applySecrets(
      { version, references: [{ processor: "simpay", name: "api", reference: `file:${join(secretsFolder, name)}` }] },
      options,
    );

  test("counts for the next call, drops none that is under way, and comes back; an older version is refused", async () => {
    writeFileSync(join(secretsFolder, "wrong"), canary);
    writeFileSync(join(secretsFolder, "right"), `${simpayApiKey}\n`);
    expect(await pointTo("right", 3)).toMatchObject({ version: 3, unresolved: 0 });
    await simulator.call("PUT", "/admin/latency", { latency: "1500" });
    const requests = Array.from({ length: 10 }, () => authorizeRequest());
    const underWay = requests.map((request) => connectors.authorize(request, options));
    const arrived = async ({ reference }: { readonly reference: string }) =>
      Number((await simulator.call("GET", `/admin/books/charges?reference=${reference}`))["requests"]) > 0;
    await untilTrue(async () => (await Promise.all(requests.map(arrived))).every(Boolean), 5_000);
    expect(await pointTo("wrong", 4)).toMatchObject({ version: 4, unresolved: 0 });
    for (const { outcome } of await Promise.all(underWay)) expect(outcome?.kind).toBe(OutcomeKind.APPROVED);
    await simulator.call("PUT", "/admin/latency", { latency: "none" });
    const refused = authorizeRequest();
    expect((await connectors.authorize(refused, options)).outcome?.kind).not.toBe(OutcomeKind.APPROVED);
    expect(await arrived(refused)).toBe(false);
    // Told by a replica that is behind.
    expect(await pointTo("right", 3)).toMatchObject({ version: 4 });
    expect((await connectors.authorize(authorizeRequest(), options)).outcome?.kind).not.toBe(OutcomeKind.APPROVED);
    expect(await pointTo("nobody", 5)).toMatchObject({ version: 5, unresolved: 1 });
    expect(await pointTo("right", 6)).toMatchObject({ version: 6, unresolved: 0 });
    expect((await connectors.authorize(authorizeRequest(), options)).outcome?.kind).toBe(OutcomeKind.APPROVED);
  });

  test("is told by the switch alone, and what is put in the place of a reference is not repeated", async () => {
    for (const name of ["client", "edge"]) {
      const other = connectUnary(ConnectorService, { address, tls: loadTls(certificates, name), logger });
      await expect(other.applySecrets({ version: 9, references: [] }, options)).rejects.toMatchObject({ code: "caller_not_allowed" });
      await other.close();
    }
    const answers = await Promise.all(
      [
        [{ processor: "simpay", name: canary, reference: "env:FLORIN_SECRET_X" }],
        [{ processor: canary, name: "api", reference: "env:FLORIN_SECRET_X" }],
        [{ processor: "simpay", name: "api", reference: canary.padEnd(3_000, "x") }],
        Array.from({ length: 257 }, () => ({ processor: "simpay", name: "api", reference: canary })),
      ].map((references) => connectors.applySecrets({ version: 9, references }, options).catch((error: unknown) => error)),
    );
    for (const answer of answers) expect(answer).toMatchObject({ code: "parameter_invalid", param: "references" });
    expect(inspect(answers, { depth: 9 })).not.toContain(canary);
    for (const text of [...lines, await telemetry.scrape()]) expect(text).not.toContain(canary);
  });
});

test("requests are counted by outcome", async () => {
  const text = await telemetry.scrape();
  expect(text).toMatch(/connectors_requests_total\{connector="simpay",operation="authorize",outcome="approved"\} \d+/);
  expect(text).toMatch(/connectors_requests_total\{connector="simpay",operation="authorize",outcome="not_sent"\} 7/);
});

test("no log line has a card number or a security code", () => {
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).not.toMatch(/4242424242424242|4000000000009995|simpay_test/);
});

test("a vault that was never there is not_sent too, and the process says that it is not ready", async () => {
  const tls = loadTls(certificates, "connectors");
  const nobody = connectFramed(VaultService, { address: `127.0.0.1:${portOfNobody}`, tls, logger });
  const openCard = createCardOpener({ client: nobody, timeoutMs: 200, logger });
  const answer = await openCard(
    { merchantId, paymentId: newId("payment"), token: "tok_visa_4242" },
    { deadlineAtMs: Date.now() + 1_000, traceparent: "" },
  );
  expect(answer).toEqual({ kind: "closed", cause: "vault_unavailable" });
  expect(nobody.isConnected()).toBe(false);
  await nobody.close();
});
