import { LedgerService } from "@florin/gen/ledger/v1/ledger";
import { type Client, connectUnary, startRpcServer } from "@florin/runtime/rpc";
import { createLogger } from "@florin/runtime/telemetry";
import { type TestPostgres, temporaryFolder, testPostgres } from "@florin/runtime/testing";
import { loadTls, makeCertificates } from "@florin/runtime/tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPoster } from "../src/app/post-batches.ts";
import { readBookedEvent } from "../src/consumers/booked-event.ts";
import { sampleId } from "../src/domain/samples.ts";
import { createLedgerService } from "../src/rpc/ledger-service.ts";
import { callerPolicy } from "../src/rpc/policy.ts";
import { batches, fullLife, makeBooks, type TestBooks } from "./books.ts";

const logger = createLogger({ service: "ledger-test", level: "silent" });
const options = { timeoutMs: 5_000 };
let server: TestPostgres;
let books: TestBooks;
let rpc: Awaited<ReturnType<typeof startRpcServer>>;
let directory: string;
const clients: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  server = await testPostgres();
  books = await makeBooks(server, "florin_ledger_rpc");
  const log = batches([fullLife(1), fullLife(2, { currency: "JPY", mode: "test" })], 100);
  await createPoster(books.sql).post(
    log.map(({ partition, throughPosition, events }) => ({
      partition,
      throughPosition,
      events: events.map(({ position, body }) => ({ position, event: readBookedEvent(position, body) })),
    })),
  );
  directory = temporaryFolder();
  await makeCertificates({ directory, names: ["ledger", "client", "vault"] });
  rpc = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    tls: loadTls(directory, "ledger"),
    services: [createLedgerService(books.sql)],
    policy: callerPolicy,
    allowInsecure: false,
    logger,
  });
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await rpc.drain(1_000);
  await books.close();
  await server.stop();
});

function as(name: string): Client<typeof LedgerService> {
  const client = connectUnary(LedgerService, {
    address: `127.0.0.1:${rpc.port}`,
    tls: loadTls(directory, name),
    peerName: "ledger",
    logger,
  });
  clients.push(client);
  return client;
}

const payable = `merchant/${sampleId("merchant", 1)}/payable`;

test("a balance tells what was posted, and of the pending what is outstanding", async () => {
  const balance = await as("client").getBalance({ account: payable, currency: "EUR" }, options);
  expect(balance).toMatchObject({ found: true, debitsPosted: 250n, creditsPosted: 1_000n, debitsPending: 0n, creditsPending: 0n });
  const unknown = await as("client").getBalance({ account: "merchant/nobody/payable", currency: "EUR" }, options);
  expect(unknown).toMatchObject({ found: false, creditsPosted: 0n });
});

test("entries of a payment come in pages", async () => {
  const client = as("client");
  const first = await client.listEntries({ paymentId: sampleId("payment", 2), limit: 8 }, options);
  expect(first.hasMore).toBe(true);
  expect(first.entries[0]).toMatchObject({
    account: "test/processor/simpay/receivable",
    side: "debit",
    layer: "pending",
    amount: 1_000n,
    currency: "JPY",
    eventType: "payment_authorized",
    description: "The issuer holds the amount.",
  });
  const rest = await client.listEntries({ paymentId: sampleId("payment", 2), afterEntryId: first.entries.at(-1)?.id ?? 0n }, options);
  expect(rest).toMatchObject({ hasMore: false });
  expect(rest.entries).toHaveLength(4);
});

test("the trial balance is balanced, line by line", async () => {
  const trial = await as("client").trialBalance({}, options);
  expect(trial.isBalanced).toBe(true);
  expect(trial.lines.map(({ currency, layer, debits, credits }) => [currency, layer, debits, credits])).toEqual([
    ["EUR", "posted", 1_250n, 1_250n],
    ["EUR", "pending", 2_000n, 2_000n],
    ["JPY", "posted", 1_250n, 1_250n],
    ["JPY", "pending", 2_000n, 2_000n],
  ]);
});

test.each([
  [{ account: "", currency: "EUR" }, "parameter_missing"],
  [{ account: payable, currency: "" }, "parameter_missing"],
  [{ account: payable, currency: "eur" }, "currency_unknown"],
  [{ account: "a".repeat(129), currency: "EUR" }, "parameter_invalid"],
])("a balance of %o is refused with %s", async (request, code) => {
  await expect(as("client").getBalance(request, options)).rejects.toMatchObject({ code, work: "not_done" });
});

test.each([
  [{}, "parameter_invalid"],
  [{ account: payable, paymentId: sampleId("payment", 1) }, "parameter_invalid"],
  [{ paymentId: "pay_1" }, "parameter_invalid"],
  [{ account: payable, limit: 1_001 }, "parameter_invalid"],
  [{ account: payable, afterEntryId: -1n }, "parameter_invalid"],
])("entries of %o are refused with %s", async (request, code) => {
  await expect(as("client").listEntries(request, options)).rejects.toMatchObject({ code });
});

test("nobody but edge and client may read the books", async () => {
  await expect(as("vault").trialBalance({}, options)).rejects.toMatchObject({ code: "caller_not_allowed" });
});
