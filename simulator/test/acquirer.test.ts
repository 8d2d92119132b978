/** The acquirer's API and its books, over real HTTP on a real PostgreSQL. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { authorizationBody, startSimulator, type TestSimulator } from "./start-simulator.ts";

let simulator: TestSimulator;
let number = 0;
const next = (prefix: string) => `${prefix}_${++number}`;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(async () => {
  await simulator?.stop();
});
beforeEach(async () => {
  await simulator.call("POST", "/admin/reset");
});

async function authorize(change: Record<string, unknown> = {}, card: Record<string, unknown> = {}) {
  const reference = next("att");
  const paymentId = next("pay");
  const answer = await simulator.call(
    "POST",
    "/v1/authorizations",
    authorizationBody({ payment_id: paymentId, ...change }, card),
    reference,
  );
  return { reference, paymentId, answer };
}

const move = (id: string, path: string, amount?: number, key = next("mov")) =>
  simulator.call(
    "POST",
    `/v1/authorizations/${id}/${path}`,
    amount === undefined ? { merchant_id: "mer_1" } : { merchant_id: "mer_1", amount, currency: "EUR" },
    key,
  );

const payment = async (id: string) => (await simulator.call("GET", `/admin/books/payments/${id}`)).body;

describe("authorizations", () => {
  test("an approval is booked once, whatever the number of requests with its key", async () => {
    const reference = next("att");
    const paymentId = next("pay");
    const body = authorizationBody({ payment_id: paymentId });
    const answers = await Promise.all(Array.from({ length: 50 }, () => simulator.call("POST", "/v1/authorizations", body, reference)));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(49);
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
    const books = await simulator.call("GET", `/admin/books/charges?idempotency_key=${reference}`);
    expect(books.body).toMatchObject({
      count: 1,
      requests: 50,
      charges: [{ amount_authorized: 1_000, card_last4: "4242", card_name: "visa" }],
    });
  });

  test("the same key for another amount is refused and changes nothing", async () => {
    const { reference, paymentId } = await authorize();
    const other = await simulator.call("POST", "/v1/authorizations", authorizationBody({ payment_id: paymentId, amount: 999 }), reference);
    expect(other).toMatchObject({ status: 409, body: { error: { code: "idempotency_key_reuse" } } });
    expect(await payment(paymentId)).toMatchObject({ charges: 1, amount_authorized: 1_000 });
  });

  test.each([
    ["4000000000000002", "05", "generic_decline"],
    ["4000000000009995", "51", "insufficient_funds"],
    ["4000000000009987", "41", "lost_card"],
    ["4000000000009979", "43", "stolen_card"],
    ["4000000000000069", "54", "expired_card"],
    ["4000000000000127", "N7", "incorrect_cvc"],
    ["4000000000000119", "96", "processing_error"],
    ["4242424242424241", "14", "incorrect_number"],
  ])("card %s is declined with %s, %s", async (cardNumber, code, declineCode) => {
    const { answer, paymentId } = await authorize({}, { number: cardNumber });
    expect(answer.body).toMatchObject({ status: "declined", response_code: code, decline_code: declineCode, auth_code: "" });
    expect(await payment(paymentId)).toMatchObject({ charges: 0, declined: 1, amount_authorized: 0 });
  });

  test("address and security code answers depend on the card", async () => {
    expect((await authorize({}, { number: "4000000000000010" })).answer.body).toMatchObject({ status: "approved", avs: "mismatch" });
    expect((await authorize({}, { number: "4000000000000101" })).answer.body).toMatchObject({ status: "approved", cvv: "mismatch" });
    expect((await authorize({}, { postal_code: "1010" })).answer.body).toMatchObject({ avs: "match", cvv: "match" });
  });

  test("no column of the books has the card number", async () => {
    await authorize();
    const [row] = await simulator.sql`SELECT string_agg(o::text, ' ') AS text FROM operations o`;
    expect(String(row?.["text"])).not.toMatch(/4242424242424242|\b123\b/);
  });

  test("bad requests and a wrong bearer key are refused", async () => {
    const bad = await simulator.call("POST", "/v1/authorizations", authorizationBody({ amount: 1.5 }), next("att"));
    expect(bad).toMatchObject({ status: 400, body: { error: { code: "request_invalid" } } });
    const nul = await simulator.call("POST", "/v1/authorizations", authorizationBody({ merchant_reference: "a\0b" }), next("att"));
    expect(nul.status).toBe(400);
    const keyless = await simulator.call("POST", "/v1/authorizations", authorizationBody());
    expect(keyless).toMatchObject({ status: 400, body: { error: { code: "idempotency_key_missing" } } });
    const stranger = await fetch(`${simulator.url}/v1/ping`, { headers: { authorization: "Bearer wrong" } });
    expect(stranger.status).toBe(401);
  });
});

describe("captures, voids and refunds", () => {
  test("captures in parts never exceed the hold, and a void releases only what is left", async () => {
    const { answer, reference, paymentId } = await authorize();
    expect((await move(String(answer.body["id"]), "captures", 400)).body).toMatchObject({ status: "approved", operation: "capture" });
    expect((await move(reference, "captures", 601)).body).toMatchObject({ status: "declined", response_code: "13" });
    expect((await move(reference, "voids")).body).toMatchObject({ status: "approved", amount: 600 });
    expect((await move(reference, "voids")).body).toMatchObject({ status: "declined", response_code: "12" });
    expect((await move(reference, "captures", 1)).body).toMatchObject({ status: "declined" });
    expect(await payment(paymentId)).toMatchObject({ amount_authorized: 1_000, amount_captured: 400, amount_voided: 600 });
  });

  test("the sums hold under 60 movements at once", async () => {
    const { reference, paymentId } = await authorize();
    const answers = await Promise.all([
      ...Array.from({ length: 30 }, () => move(reference, "captures", 70)),
      ...Array.from({ length: 30 }, () => move(reference, "refunds", 30)),
    ]);
    const captured = answers.slice(0, 30).filter((answer) => answer.body["status"] === "approved").length;
    const refunded = answers.slice(30).filter((answer) => answer.body["status"] === "pending").length;
    expect(captured).toBe(14);
    expect(await payment(paymentId)).toMatchObject({ amount_captured: 980, amount_refunded: refunded * 30 });
  });

  test("a repeated movement gives the first answer", async () => {
    const { reference } = await authorize();
    const key = next("cap");
    const first = await move(reference, "captures", 400, key);
    const again = await move(reference, "captures", 400, key);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toEqual(first.body);
    expect((await move(reference, "captures", 500, key)).status).toBe(409);
  });

  test("a refund is pending, then succeeds", async () => {
    const { reference, paymentId } = await authorize({ capture: true });
    const key = next("ref");
    expect((await move(reference, "refunds", 300, key)).body).toMatchObject({ status: "pending", response_code: "00" });
    expect(await payment(paymentId)).toMatchObject({ amount_refund_pending: 300 });
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect((await simulator.call("GET", `/v1/operations/${key}`)).body).toMatchObject({ status: "succeeded" });
    expect(await payment(paymentId)).toMatchObject({ amount_refunded: 300, amount_refund_pending: 0 });
    expect((await move(reference, "refunds", 701)).body).toMatchObject({ status: "declined", response_code: "13" });
  });

  test("a refund of card 5126 fails later and gives its amount back", async () => {
    const { reference, paymentId } = await authorize({ capture: true }, { number: "4000000000005126" });
    const key = next("ref");
    expect((await move(reference, "refunds", 1_000, key)).body).toMatchObject({ status: "pending" });
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect((await simulator.call("GET", `/v1/operations/${key}`)).body).toMatchObject({
      status: "failed",
      decline_code: "invalid_account",
    });
    expect(await payment(paymentId)).toMatchObject({ amount_captured: 1_000, amount_refunded: 0 });
    expect((await move(reference, "refunds", 1_000)).body).toMatchObject({ status: "pending" });
  });

  test("an authorization of another merchant is not found", async () => {
    const { reference } = await authorize({ merchant_id: "mer_2" });
    expect(await move(reference, "captures", 1)).toMatchObject({ status: 404, body: { error: { code: "authorization_not_found" } } });
    expect((await simulator.call("GET", "/v1/operations/att_nobody")).body).toMatchObject({ error: { code: "operation_not_found" } });
  });

  test("the database itself refuses totals that cannot be", async () => {
    const { reference } = await authorize();
    const broken = simulator.sql`UPDATE operations SET captured = 1001 WHERE reference = ${reference}`;
    await expect(broken).rejects.toThrow("captured_and_voided_within_authorized");
  });
});

describe("faults by rule", () => {
  const rule = (body: Record<string, unknown>) => simulator.call("POST", "/admin/rules", body);
  const charges = async (reference: string) => (await simulator.call("GET", `/admin/books/charges?reference=${reference}`)).body["count"];
  const attempt = (reference: string, timeoutMs = 5_000) =>
    fetch(`${simulator.url}/v1/authorizations`, {
      method: "POST",
      headers: { authorization: "Bearer simpay_test", "content-type": "application/json", "idempotency-key": reference },
      body: JSON.stringify(authorizationBody({ payment_id: `pay_of_${reference}` })),
      signal: AbortSignal.timeout(timeoutMs),
    }).then((response) => response.text());

  test.each([
    ["timeout_before_charge", 0],
    ["timeout_after_charge", 1],
    ["reset_after_approval", 1],
  ])("%s leaves the caller without an answer and %i charges", async (fault, count) => {
    const reference = next("att");
    await rule({ fault, match: { reference_prefix: reference }, times: 1 });
    await expect(attempt(reference, 400)).rejects.toThrow();
    expect(await charges(reference)).toBe(count);
    expect(JSON.parse(await attempt(reference))).toMatchObject({ reference });
  });

  test("garbage, unmapped codes and outages are answers that say nothing", async () => {
    const [garbage, unmapped, outage] = [next("att"), next("att"), next("att")];
    for (const [fault, reference] of [
      ["garbage", garbage],
      ["unmapped_code", unmapped],
      ["outage", outage],
    ])
      await rule({ fault, match: { reference_prefix: reference }, times: 1 });
    const text = await attempt(garbage);
    expect(() => JSON.parse(text)).toThrow();
    expect(JSON.parse(await attempt(unmapped))).toMatchObject({ status: "referred", response_code: "ZZ" });
    expect(JSON.parse(await attempt(outage))).toMatchObject({ error: { code: "outage" } });
    expect([await charges(garbage), await charges(unmapped), await charges(outage)]).toEqual([1, 1, 0]);
  });

  test("a denied query says that there is no such operation while it is booked, and takes no turn of anything but a query", async () => {
    await rule({ fault: "denied_query", times: 1 });
    const { reference, answer } = await authorize();
    expect(answer.status).toBe(201);
    const query = () => simulator.call("GET", `/v1/operations/${reference}`);
    const denied = await query();
    expect([denied.status, denied.body]).toMatchObject([404, { error: { code: "operation_not_found" } }]);
    expect((await query()).body).toMatchObject({ reference, status: "approved" });
    expect(await charges(reference)).toBe(1);
  });

  test("a rule fits by card, amount and operation, happens its number of times and can be removed", async () => {
    const made = await rule({ fault: "outage", match: { operation: "authorization", card_last4: "4242", amount: 777 }, times: 1 });
    expect(made.status).toBe(201);
    expect((await authorize()).answer.status).toBe(201);
    expect((await authorize({ amount: 777 })).answer.status).toBe(503);
    expect((await authorize({ amount: 777 })).answer.status).toBe(201);
    expect((await simulator.call("GET", "/admin/rules")).body).toMatchObject({ rules: [{ happened: 1, times: 1 }] });
    expect((await simulator.call("DELETE", `/admin/rules/${made.body["id"]}`)).status).toBe(204);
    expect((await simulator.call("GET", "/admin/rules")).body).toEqual({ rules: [] });
  });

  test("latency is set through the admin API", async () => {
    await simulator.call("PUT", "/admin/latency", { latency: "60" });
    const startedAtMs = performance.now();
    await authorize();
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(55);
    expect((await simulator.call("PUT", "/admin/latency", { latency: "9-3" })).status).toBe(400);
  });
});

test("the summary adds up by currency and counts payments that were charged twice", async () => {
  const paymentId = next("pay");
  await authorize({ payment_id: paymentId, currency: "SEK", amount: 500 });
  await authorize({ payment_id: paymentId, currency: "SEK", amount: 500, capture: true });
  const { body } = await simulator.call("GET", "/admin/books/summary");
  expect(body).toMatchObject({
    payments_charged_twice: 1,
    by_currency: { SEK: { approved: 2, amount_authorized: 1_000, amount_captured: 500 } },
  });
});
