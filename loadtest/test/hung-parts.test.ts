/**
 * A process of ours stands still, as one does that swaps, is paused or is cut off without a reset: merchants get an answer in time that is
 * true, nothing is charged behind it, and all is decided once the process goes on.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { idToHex, required } from "@florin/kernel";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { serviceDatabaseUrl } from "../src/stack/up-file.ts";
import { type Answer, authorizeBody, call, type Stack, startStack, tokenize, untilTrue } from "./stack.ts";

/**
 * Shorter than in production, so that the edge's own patience is seen too; and shorter than a ping is waited for (5 s, rpc/transport-options.ts): one that
 * left just before the switch stood still would tell the edge first, and its answer would be `peer_lost`.
 */
const edgePatienceMs = 4_500;
/** What the switch waits for the connectors, and a little. */
const sendTimeoutMs = 26_000;
const decidedWithinMs = 60_000;

let stack: Stack;
const standing = new Set<number>();

beforeAll(async () => {
  stack = await startStack({ profile: "embedded", env: { FLORIN_MUTATION_TIMEOUT_MS: String(edgePatienceMs) } });
});
afterEach(() => {
  for (const pid of standing) goOn(pid);
});
afterAll(() => stack?.stop());

function standStill(name: string): number {
  const { pid } = required(
    stack.processes.find((process) => process.name === name),
    name,
  );
  process.kill(pid, "SIGSTOP");
  standing.add(pid);
  return pid;
}

function goOn(pid: number): void {
  process.kill(pid, "SIGCONT");
  standing.delete(pid);
}

const pay = (key: string, token = "tok_visa_4242") =>
  call(stack, "POST", "/v1/payments/authorize", authorizeBody({ merchant_reference: key, payment_method: { type: "card", token } }), {
    key,
  });
const errorOf = ({ body }: Answer) => body["error"] as Record<string, unknown> & { readonly payment?: { readonly id: string } };

function expectComeBack(answer: Answer, code: string): void {
  expect({ status: answer.status, error: errorOf(answer) }).toMatchObject({ status: 503, error: { type: "unavailable", code } });
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(errorOf(answer)["request_id"]).toBe(answer.headers.get("request-id"));
}

async function chargesOf(paymentId: string): Promise<number> {
  const response = await fetch(`${stack.simulatorUrl}/admin/books/charges?payment_id=${paymentId}`);
  return ((await response.json()) as { count: number }).count;
}

/** Under way, or told to come back without a word of a payment: so a link is answered for that is being made again. */
function isUndecided(answer: Answer): boolean {
  const { code, payment } = errorOf(answer) ?? {};
  return answer.status === 202 || code === "deadline_exceeded" || (answer.status === 503 && payment === undefined);
}

/** Asked again with its key until it is decided. */
async function decided(key: string): Promise<Answer> {
  let answer: Answer | undefined;
  await untilTrue(async () => {
    answer = await pay(key);
    return !isUndecided(answer);
  }, decidedWithinMs);
  return required(answer, "an answer");
}

function expectUndecided({ status, headers, body }: Answer): void {
  expect([status, headers.get("retry-after"), body["status"]]).toEqual([202, "2", "processing"]);
}

test("the vault: nothing was done, or surely nothing sent; captures go on; the same key pays once it goes on", async () => {
  const authorized = await pay(randomUUID());
  const fresh = await tokenize(stack, "5555555555554444");
  const vault = standStill("vault");
  const key = randomUUID();
  // The switch asks the vault what the token is: a question, so the key is free again.
  expectComeBack(await pay(key, fresh), "unavailable");
  // It still knows this one; the connectors cannot open it.
  const unopened = await pay(randomUUID());
  expectComeBack(unopened, "processor_unavailable");
  expect(await chargesOf(required(errorOf(unopened).payment, "the payment").id)).toBe(0);
  const captured = await call(stack, "POST", `/v1/payments/${authorized.body["id"]}/capture`, { amount: 1_000 });
  expect([captured.status, captured.body["amount_captured"]]).toEqual([200, 1_000]);
  goOn(vault);
  let paid: Answer | undefined;
  await untilTrue(async () => {
    paid = await pay(key, fresh);
    return paid.status === 201;
  }, 5_000);
  expect(await chargesOf(String(paid?.body["id"]))).toBe(1);
});

test("the connectors, for a while: unknown, and the payment is found under its key once they go on", async () => {
  const connectors = standStill("connectors");
  const key = randomUUID();
  // The switch waits for no longer than the edge does, so the edge hears what is known.
  expectUndecided(await pay(key));
  expectUndecided(await pay(key));
  goOn(connectors);
  const answer = await decided(key);
  expect([answer.status, answer.body["status"]]).toEqual([200, "authorized"]);
  expect(await chargesOf(String(answer.body["id"]))).toBe(1);
});

test("the connectors, for longer than anybody waits: what they had not sent is never sent, and the payment is decided by itself", async () => {
  const connectors = standStill("connectors");
  const key = randomUUID();
  expectUndecided(await pay(key));
  await sleep(sendTimeoutMs - edgePatienceMs);
  const { id, resolves_by: resolvesBy } = (await pay(key)).body;
  expect(Date.parse(String(resolvesBy))).toBeGreaterThan(Date.now());
  goOn(connectors);
  // Nobody asks for it: recovery does.
  await untilTrue(async () => (await call(stack, "GET", `/v1/payments/${id}`)).body["status"] !== "processing", decidedWithinMs);
  const answer = await decided(key);
  const isPaid = answer.status === 200;
  expect([200, 402]).toContain(answer.status);
  expect(await chargesOf(String(id))).toBe(isPaid ? 1 : 0);
});

test("the switch: the edge says that the outcome is unknown, and its key finds it", async () => {
  const pid = standStill("switch");
  const key = randomUUID();
  expectComeBack(await pay(key), "deadline_exceeded");
  goOn(pid);
  const answer = await decided(key);
  expect([200, 201], answer.text).toContain(answer.status);
  expect(await chargesOf(String(answer.body["id"]))).toBe(1);
});

test("the ledger, for thousands of events: no payment waits, and afterwards each is booked as one that was never delayed", async () => {
  const books = postgres(serviceDatabaseUrl(stack, "florin_ledger"), { max: 1, fetch_types: false });
  const bookedOf = async (ids: readonly string[]) =>
    books<{ payment_id: string; legs: string }[]>`
      SELECT payment_id::text, string_agg(leg || ':' || amount || ':' || is_pending, ',' ORDER BY position, leg) AS legs
      FROM transfers WHERE payment_id = ANY (${`{${ids.map(idToHex).join(",")}}`}::uuid[]) GROUP BY payment_id`;
  const settings = { key: () => randomUUID(), capture_mode: "automatic" };
  const payAndCapture = async () =>
    call(stack, "POST", "/v1/payments/authorize", authorizeBody({ capture_mode: settings.capture_mode }), { key: settings.key() });
  try {
    const model = String((await payAndCapture()).body["id"]);
    await untilTrue(async () => (await bookedOf([model])).length === 1, 10_000);
    const ledger = standStill("ledger");
    const ids: string[] = [];
    const worker = async () => {
      for (let n = 0; n < 40; n++) {
        const answer = await payAndCapture();
        expect(answer.status).toBe(201);
        ids.push(String(answer.body["id"]));
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    goOn(ledger);
    await untilTrue(async () => (await bookedOf(ids)).length === ids.length, 30_000);
    const [{ legs } = { legs: "" }] = await bookedOf([model]);
    expect(new Set((await bookedOf(ids)).map((booked) => booked.legs))).toEqual(new Set([legs]));
    const unbalanced = await books`SELECT position FROM transfers WHERE debit_account_id = credit_account_id OR amount <= 0`;
    expect(unbalanced).toHaveLength(0);
  } finally {
    await books.end({ timeout: 1 });
  }
});
