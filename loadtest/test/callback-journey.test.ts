/**
 * Payments at a processor that answers later, from the merchant's REST call to its books, on the real parts: callbacks early, alone, late, twice, never,
 * forged and out of order, and `kill -9` of the connectors between the 202 and the callback. Every payment ends, and both books say the same.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { authorizeBody, call, type Stack, startStack, untilTrue } from "./stack.ts";

/** Longest wait of a call for its callback, ms. */
const patienceMs = 1_500;
const lateMs = 3_000;
const decisionMsMax = 90_000;
/** By id: all that this file has asked for. */
const payments: string[] = [];
let stack: Stack;
let amount = 20_000;

beforeAll(async () => {
  // Nobody asks while a call waits: what is not told by a callback is recovery's to find.
  const env = {
    FLORIN_CONNECTOR: "simlater",
    FLORIN_OPERATION_TIMEOUT_MS_MAX: String(patienceMs),
    FLORIN_SIMLATER_ASK_AFTER_MS: "60000",
  };
  stack = await startStack({ profile: "embedded", env, restarts: true });
});
afterAll(async () => {
  await stack?.stop();
});

async function simulator(path: string, body?: unknown): Promise<Record<string, unknown>> {
  const json = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`${stack.simulatorUrl}${path}`, body === undefined ? {} : json);
  return (await response.json()) as Record<string, unknown>;
}

const viewOf = async (id: string) => (await call(stack, "GET", `/v1/payments/${id}`)).body;
const booksOf = (id: string) => simulator(`/admin/books/payments/${id}`);

/** An amount of its own, which a rule can tell from all others. */
async function armed(fault: string | undefined): Promise<number> {
  amount += 1;
  const rule = {
    fault,
    match: { operation: "authorization", amount },
    times: 1,
    ...(fault === "callback_late" ? { delay_ms: lateMs } : {}),
  };
  if (fault !== undefined) expect(await simulator("/admin/rules", rule)).toMatchObject({ happened: 0 });
  return amount;
}

async function authorize(fault: string | undefined, change: Record<string, unknown> = {}) {
  const answer = await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ ...change, amount: await armed(fault) }));
  // A decline comes as an error that shows its payment.
  const { payment = answer.body } = (answer.body["error"] ?? {}) as { payment?: Record<string, unknown> };
  const id = String(payment["id"]);
  payments.push(id);
  return { id, answer, amount };
}

test("authorize, capture a part, refund, void the rest: each step's end comes by a callback", async () => {
  const { id, answer } = await authorize(undefined);
  expect(answer.body).toMatchObject({ status: "authorized", processor_response: { connector: "simlater", code: "FINE" } });
  expect((await call(stack, "POST", `/v1/payments/${id}/capture`, { amount: 4_000 })).body).toMatchObject({ amount_captured: 4_000 });
  expect((await call(stack, "POST", `/v1/payments/${id}/refund`, { amount: 1_500, reason: "one item" })).status).toBe(200);
  expect((await call(stack, "POST", `/v1/payments/${id}/void`)).status).toBe(200);
  await untilTrue(async () => JSON.stringify((await viewOf(id))["refunds"]).includes("succeeded"), decisionMsMax);
});

test("a decline is a decline", async () => {
  const { answer } = await authorize(undefined, { payment_method: { type: "card", token: "tok_visa_9995" } });
  expect(answer.status).toBe(402);
});

test.each(["callback_first", "callback_only", "callback_twice", "callback_shuffled"])(
  "with %s the answer is there at once",
  async (fault) => {
    const { answer } = await authorize(fault);
    expect(answer.body).toMatchObject({ status: "authorized" });
  },
);

test.each(["callback_late", "callback_never", "callback_forged", "timeout_after_charge"])(
  "with %s it is found out later",
  async (fault) => {
    const { id, answer } = await authorize(fault);
    expect(answer.status).toBe(202);
    await untilTrue(async () => (await viewOf(id))["status"] === "authorized", decisionMsMax);
  },
);

test("a capture whose callback does not come is found out later", async () => {
  const held = await authorize(undefined);
  await simulator("/admin/rules", { fault: "callback_never", match: { operation: "capture", amount: held.amount }, times: 1 });
  expect((await call(stack, "POST", `/v1/payments/${held.id}/capture`, {})).status).toBe(202);
  await untilTrue(async () => (await viewOf(held.id))["amount_captured"] === held.amount, decisionMsMax);
});

test("kill -9 of the connectors between the 202 and the callback: one charge, which the callback to the next process hurries to light", async () => {
  const asking = authorize("callback_late");
  const own = amount;
  const rules = async () => (await simulator("/admin/rules"))["rules"] as { match: { amount?: number }; happened: number }[];
  await untilTrue(async () => (await rules()).some(({ match, happened }) => match.amount === own && happened === 1), decisionMsMax);
  const connectors = stack.processes.find(({ name }) => name === "connectors");
  if (connectors === undefined) throw new Error("a stack has connectors");
  process.kill(connectors.pid, "SIGKILL");
  const { id, answer } = await asking;
  expect(answer.status).toBe(202);
  await untilTrue(async () => (await viewOf(id))["status"] === "authorized", decisionMsMax);
  const [charge] = (await booksOf(id))["operations"] as [{ reference: string; request_count: number }];
  expect(charge.request_count).toBe(1);
  const delivered = async () =>
    (await simulator(`/admin/callbacks?reference=${charge.reference}`))["callbacks"] as { statuses: number[] }[];
  await untilTrue(async () => (await delivered())[0]?.statuses.at(-1) === 200, decisionMsMax);
});

test("an order that never arrived is cancelled before it is called failed, so that it has no effect when it comes", async () => {
  const { id, answer } = await authorize("timeout_before_charge");
  expect(answer.status).toBe(202);
  await untilTrue(async () => (await viewOf(id))["status"] === "declined", decisionMsMax);
  const operations = (await booksOf(id))["operations"] as { operation: string; status: string }[];
  expect(operations.map(({ operation, status }) => [operation, status])).toEqual(
    expect.arrayContaining([
      ["authorization", "reversed"],
      ["reversal", "approved"],
    ]),
  );
});

test("in the end every payment is decided, nobody was charged twice, and both books say the same", async () => {
  expect(payments.length).toBeGreaterThan(12);
  for (const id of payments) {
    const view = await viewOf(id);
    const books = await booksOf(id);
    expect([id, view["status"]]).toEqual([id, expect.not.stringMatching(/processing|ambiguous|created/)]);
    const isCharged = view["status"] !== "declined";
    expect([id, books["charges"]]).toEqual([id, isCharged ? 1 : 0]);
    expect([id, books["amount_captured"], books["amount_refunded"]]).toEqual([id, view["amount_captured"], view["amount_refunded"]]);
    if (isCharged) expect([id, books["amount_authorized"]]).toEqual([id, view["amount"]]);
  }
  expect(await simulator("/admin/books/summary")).toMatchObject({ payments_charged_twice: 0 });
});
