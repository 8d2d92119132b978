/** Payments over live ISO 8583 links, from the merchant's REST call to the books of the host, on the real parts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { required } from "@florin/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { authorizeBody, call, type Stack, startStack, tokenize, untilTrue } from "./stack.ts";

let stack: Stack;
/** Every operation's longest wait for the host, ms: silence is noticed soon. */
const patienceMs = 2_000;
const decisionMsMax = 90_000;

beforeAll(async () => {
  const env = { FLORIN_CONNECTOR: "simiso", FLORIN_OPERATION_TIMEOUT_MS_MAX: String(patienceMs) };
  stack = await startStack({ profile: "embedded", env, restarts: true });
});
afterAll(async () => {
  await stack?.stop();
});

type Operation = { readonly operation: string; readonly status: string };
type Books = Readonly<Record<string, unknown>> & { readonly operations: readonly Operation[] };

async function booksOf(paymentId: unknown): Promise<Books> {
  return (await (await fetch(`${stack.simulatorUrl}/admin/books/payments/${paymentId}`)).json()) as Books;
}

async function fail(rule: Readonly<Record<string, unknown>>): Promise<void> {
  const response = await fetch(`${stack.simulatorUrl}/admin/rules`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ times: 1, ...rule }),
  });
  expect(response.status).toBe(201);
}

async function typesOf(paymentId: unknown): Promise<readonly string[]> {
  const { status, body } = await call(stack, "GET", `/v1/payments/${paymentId}/events`);
  // While the switch starts again nobody can say.
  return status === 200 ? (body["data"] as { type: string }[]).map((event) => event.type) : [];
}

/** As it runs now: who was killed has been started again. */
function pidOf(name: string): number {
  const { processes } = JSON.parse(readFileSync(join(stack.directory, "up.json"), "utf8")) as Stack;
  return required(
    processes.find((one) => one.name === name),
    `the stack's ${name}`,
  ).pid;
}

/** How often the newest rules have happened. */
async function latestHappened(count: number): Promise<readonly number[]> {
  const { rules } = (await (await fetch(`${stack.simulatorUrl}/admin/rules`)).json()) as { rules: { happened: number }[] };
  return rules.slice(-count).map(({ happened }) => happened);
}

async function isReversedOnce(paymentId: unknown): Promise<void> {
  const books = await booksOf(paymentId);
  expect(books).toMatchObject({ amount_authorized: 0, amount_captured: 0 });
  const of = (operation: string) => books.operations.filter((one) => one.operation === operation).map(({ status }) => status);
  expect([of("authorization"), of("reversal")]).toEqual([["reversed"], ["approved"]]);
}

test("authorize, capture a part, refund, void the rest: the host's books say the same", async () => {
  const authorized = await call(stack, "POST", "/v1/payments/authorize", authorizeBody());
  expect(authorized.body).toMatchObject({ status: "authorized", processor_response: { code: "00" } });
  const { id } = authorized.body;
  expect((await call(stack, "POST", `/v1/payments/${id}/capture`, { amount: 4_000 })).body).toMatchObject({ amount_captured: 4_000 });
  const refunded = await call(stack, "POST", `/v1/payments/${id}/refund`, { amount: 1_500, reason: "one item returned" });
  expect(refunded.body).toMatchObject({ amount_refunded: 1_500, refunds: [{ amount: 1_500, status: "succeeded" }] });
  expect((await call(stack, "POST", `/v1/payments/${id}/void`)).status).toBe(200);
  const totals = { amount_authorized: 10_000, amount_captured: 4_000, amount_voided: 6_000, amount_refunded: 1_500 };
  expect(await booksOf(id)).toMatchObject(totals);
});

test("a purchase in one step is refunded as one, and a decline is a decline", async () => {
  const paid = await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ capture_mode: "automatic" }));
  expect(paid.body).toMatchObject({ status: "captured", amount_captured: 10_000 });
  const refunded = await call(stack, "POST", `/v1/payments/${paid.body["id"]}/refund`, { reason: "all of it" });
  expect(refunded.body).toMatchObject({ status: "refunded", amount_refunded: 10_000 });
  const token = { type: "card", token: "tok_visa_9995" };
  expect((await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ payment_method: token }))).status).toBe(402);
});

test("a PIN goes encrypted from the device through the vault to the host, which knows a wrong one", async () => {
  const pay = async (block: string) => {
    const token = await tokenize(stack, "4242424242424242", { cvc: "123", pin: { block } });
    return call(stack, "POST", "/v1/payments/authorize", authorizeBody({ payment_method: { type: "card", token } }));
  };
  expect((await pay("0F1E2D3C4B5A6978")).status).toBe(201);
  const declined = await pay("FFFFFFFFFFFFFFFF");
  expect([declined.status, JSON.stringify(declined.body)]).toEqual([402, expect.stringContaining("55")]);
});

test.each([
  { name: "connectors", does: "sends it", amount: 4_321 },
  { name: "switch", does: "keeps it", amount: 4_322 },
])("a time-out is reversed, not declined, and the reversal outlives kill -9 of the process that $does", async ({ name, amount }) => {
  await fail({ fault: "timeout_after_charge", match: { operation: "authorization", amount } });
  // The first reversal meets silence: nobody has answered it when its sender is killed.
  await fail({ fault: "timeout_before_charge", match: { operation: "reversal", amount } });
  const asked = await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ amount }));
  const id = asked.body["id"];
  expect(asked.status).toBe(202);
  expect((await booksOf(id))["amount_authorized"]).toBe(amount);
  expect(await typesOf(id)).toContain("authorization_requested");
  expect(await typesOf(id)).not.toContain("payment_declined");
  process.kill(pidOf(name), "SIGKILL");
  await untilTrue(async () => (await typesOf(id)).includes("authorization_reversed"), decisionMsMax);
  expect(await latestHappened(2)).toEqual([1, 1]);
  await isReversedOnce(id);
});

test("the no of a host that books and breaks down is one when it has been reversed", async () => {
  const amount = 4_323;
  await fail({ fault: "malfunction_after_charge", match: { operation: "authorization", amount } });
  const asked = await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ amount }));
  const { payment } = asked.body["error"] as { payment: Readonly<Record<string, unknown>> };
  expect([asked.status, payment]).toMatchObject([402, { status: "declined", decline: { reason: "processing_error" } }]);
  await isReversedOnce(payment["id"]);
});

test("killed between that no and the answer to the reversal, the connectors leave nothing behind", async () => {
  const amount = 4_324;
  await fail({ fault: "malfunction_after_charge", match: { operation: "authorization", amount } });
  await fail({ fault: "timeout_before_charge", match: { operation: "reversal", amount } });
  const asking = call(stack, "POST", "/v1/payments/authorize", authorizeBody({ amount }));
  await untilTrue(async () => (await latestHappened(1))[0] === 1, patienceMs);
  process.kill(pidOf("connectors"), "SIGKILL");
  const { status, body } = await asking;
  expect(status).toBe(202);
  await untilTrue(async () => (await typesOf(body["id"])).includes("authorization_reversed"), decisionMsMax);
  await isReversedOnce(body["id"]);
});

test("after kill -9 of the switch that grants the links, payments go on", async () => {
  process.kill(pidOf("switch"), "SIGKILL");
  const paid = async () => (await call(stack, "POST", "/v1/payments/authorize", authorizeBody())).status === 201;
  await untilTrue(() => paid().catch(() => false), decisionMsMax);
});
