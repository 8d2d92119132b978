/** Every route of the REST API through real HTTP, against a scripted switch. */
import { create } from "@bufbuild/protobuf";
import { Disposition, OperationResultSchema, PaymentStatus } from "@florin/gen/payments/v1/payments";
import { AppError, type ErrorCode, errorCatalogue } from "@florin/kernel";
import { Compile } from "typebox/compile";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { authorizedPayment, paymentSamples } from "../src/rest/payment-samples.ts";
import { routingAnswer } from "../src/rest/schemas.ts";
import { authorizeBody, call, done, type Edge, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let edge: Edge;
let secretKey: string;
let merchantId: string;
const id = authorizedPayment().id;

beforeAll(async () => {
  stage = await openStage();
  edge = await stage.startEdge();
  ({ secretKey, merchantId } = await stage.newKey());
});
afterAll(() => stage?.stop());
beforeEach(() => stage.script.reset());

const post = (path: string, body?: unknown, o: { key?: string | null; headers?: Record<string, string> } = {}) =>
  call(edge, "POST", path, { secretKey, body, ...o });
const get = (path: string) => call(edge, "GET", path, { secretKey });
const lastRequest = () => stage.script.received.at(-1);

describe("the bodies of the API", () => {
  test("authorize in one call: the request reaches the switch whole, the answer is the payment", async () => {
    const answer = await post("/v1/payments/authorize", authorizeBody, { key: "order-1001-try-1" });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      id,
      status: "authorized",
      amount_authorized: 10_000,
      amount_captured: 0,
      amount_refunded: 0,
      fraud_check: { risk_score: 12, risk_level: "low" },
      processor_response: { code: "00", auth_code: "A1B2C3" },
    });
    expect(answer.body.authorization_expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(lastRequest()).toMatchObject({
      method: "createPayment",
      context: { peer: "edge" },
      request: {
        caller: { merchantId, mode: 1, actor: `key:${secretKey.slice(8, 24)}`, requestId: answer.headers.get("request-id") },
        idempotencyKey: "order-1001-try-1",
        amount: 10_000n,
        currency: "EUR",
        captureMode: 1,
        merchantReference: "order-1001",
        paymentMethod: { type: "card", token: "tok_visa_4242" },
        confirm: true,
      },
    });
  });

  test("create alone, and create with confirm", async () => {
    stage.script.operation = () => done({ payment: paymentSamples["created"] });
    const created = await post("/v1/payments", {
      amount: 5,
      currency: "JPY",
      metadata: { cart: "7" },
      description: "socks",
      unique_reference: false,
    });
    expect([created.status, created.body.status, created.body.payment_method]).toEqual([201, "created", null]);
    expect(lastRequest()?.request).toMatchObject({
      amount: 5n,
      currency: "JPY",
      confirm: false,
      metadata: { cart: "7" },
      description: "socks",
    });
    const body = { ...authorizeBody, confirm: true, capture_mode: "automatic", customer_ip: "2001:db8::1" };
    await post("/v1/payments", body);
    expect(lastRequest()?.request).toMatchObject({ confirm: true, captureMode: 2, customerIp: "2001:db8::1" });
  });

  test("authorize, capture, void and refund an existing payment", async () => {
    expect((await post(`/v1/payments/${id}/authorize`, { payment_method: authorizeBody.payment_method })).status).toBe(201);
    expect(lastRequest()).toMatchObject({
      method: "authorizePayment",
      request: { paymentId: id, paymentMethod: { token: "tok_visa_4242" } },
    });
    expect((await post(`/v1/payments/${id}/capture`, { amount: 4_000 })).status).toBe(200);
    expect(lastRequest()).toMatchObject({ method: "capturePayment", request: { paymentId: id, amount: 4_000n } });
    expect((await post(`/v1/payments/${id}/void`, {})).status).toBe(200);
    expect(lastRequest()).toMatchObject({ method: "voidPayment", request: { paymentId: id } });
    stage.script.operation = () => done({ payment: paymentSamples["partially-refunded"] });
    const refunded = await post(`/v1/payments/${id}/refund`, { amount: 2_500, reason: "item returned" });
    expect(refunded.status).toBe(200);
    expect(refunded.body).toMatchObject({ status: "partially_refunded", refunds: [{ status: "processing", amount: 2_500 }, {}] });
    expect(lastRequest()).toMatchObject({ method: "refundPayment", request: { amount: 2_500n, reason: "item returned" } });
  });

  test("capture and refund without an amount mean all of it, and capture and void need no body", async () => {
    for (const body of [undefined, {}]) {
      expect((await post(`/v1/payments/${id}/capture`, body)).status).toBe(200);
      expect(lastRequest()?.request["amount"]).toBeUndefined();
      expect((await post(`/v1/payments/${id}/void`, body)).status).toBe(200);
    }
    expect((await post(`/v1/payments/${id}/capture`, "")).status).toBe(200);
    expect((await post(`/v1/payments/${id}/refund`, { reason: "all" })).status).toBe(200);
    expect(lastRequest()?.request["amount"]).toBeUndefined();
  });

  test("get a payment", async () => {
    stage.script.payment = () => authorizedPayment();
    const answer = await get(`/v1/payments/${id}`);
    expect([answer.status, answer.body.id]).toEqual([200, id]);
    expect(lastRequest()?.request).toMatchObject({ paymentId: id, caller: { merchantId } });
  });

  test("list payments with every filter", async () => {
    stage.script.list = () => ({ payments: [authorizedPayment(), authorizedPayment()], nextCursor: "abc" });
    const path =
      "/v1/payments?status=partially_captured&merchant_reference=order%201&created_from=2026-11-21T00:00:00Z&created_to=2026-11-22T00:00:00%2B01:00&idempotency_degraded=true&limit=2&cursor=x1";
    const answer = await get(path);
    expect(answer.body).toMatchObject({ data: [{ id }, { id }], has_more: true, next_cursor: "abc" });
    expect(lastRequest()?.request).toMatchObject({
      status: PaymentStatus.PARTIALLY_CAPTURED,
      merchantReference: "order 1",
      createdFromMs: BigInt(Date.parse("2026-11-21T00:00:00Z")),
      createdToMs: BigInt(Date.parse("2026-11-21T23:00:00Z")),
      limit: 2,
      cursor: "x1",
      idempotencyDegraded: true,
    });
    stage.script.list = () => ({});
    expect((await get("/v1/payments")).body).toEqual({ data: [], has_more: false, next_cursor: null });
    expect(lastRequest()?.request).toMatchObject({ status: 0, limit: 20, cursor: "", createdFromMs: 0n, idempotencyDegraded: false });
    // There is no list of the others.
    expect((await get("/v1/payments?idempotency_degraded=false")).body).toMatchObject({
      error: { code: "parameter_invalid", param: "idempotency_degraded" },
    });
  });

  test("the routing of a payment tells every candidate with its reasons, and what became of each attempt", async () => {
    expect(await get(`/v1/payments/${id}/routing`)).toMatchObject({ status: 404, body: { error: { code: "payment_not_found" } } });
    stage.script.routing = () => ({
      found: true,
      decisions: [
        {
          sequence: 1,
          decidedAtMs: 1_795_239_476_695n,
          strategy: "cost",
          rulesVersion: 3,
          rulePath: "rules.use",
          candidates: [
            { processor: "simpay", rank: 1, reasons: ["by_fee"], fee: 35n },
            { processor: "other", rank: 2, reasons: ["by_rate", "few_samples"], approvalRateBps: 0 },
            { processor: "third", rank: 0, reasons: ["currency_not_supported", "breaker_open"] },
          ],
          attempts: [
            {
              id: "att_01kdvj9m0000000000000000aa",
              processor: "simpay",
              outcome: "declined",
              reason: "do_not_honor",
              passedOver: ["fourth"],
            },
            { id: "att_01kdvj9m0000000000000000ab", processor: "other", outcome: "declined", reason: "do_not_honor", stopped: "no_time" },
          ],
        },
      ],
    });
    const { status, body } = await get(`/v1/payments/${id}/routing`);
    const declined = { outcome: "declined", reason: "do_not_honor" };
    expect([status, Compile(routingAnswer).Errors(body)]).toEqual([200, []]);
    expect(body).toEqual({
      data: [
        {
          sequence: 1,
          decided_at: "2026-11-21T05:37:56.695Z",
          strategy: "cost",
          rules_version: 3,
          rule: "rules.use",
          exploration: false,
          candidates: [
            { processor: "simpay", rank: 1, reasons: ["by_fee"], fee: 35, approval_rate_bps: null },
            { processor: "other", rank: 2, reasons: ["by_rate", "few_samples"], fee: null, approval_rate_bps: 0 },
            { processor: "third", rank: null, reasons: ["currency_not_supported", "breaker_open"], fee: null, approval_rate_bps: null },
          ],
          attempts: [
            { id: "att_01kdvj9m0000000000000000aa", processor: "simpay", ...declined, stopped: null, passed_over: ["fourth"] },
            { id: "att_01kdvj9m0000000000000000ab", processor: "other", ...declined, stopped: "no_time", passed_over: [] },
          ],
        },
      ],
    });
    stage.script.routing = () => ({ found: true, decisions: [] });
    expect((await get(`/v1/payments/${id}/routing`)).body).toEqual({ data: [] });
  });

  test("the timeline tells who, what, when, before and after", async () => {
    const before = { authorized: 0n, captured: 0n, refunded: 0n };
    stage.script.events = () => ({
      found: true,
      hasMore: true,
      entries: [
        {
          sequence: 2,
          type: "payment_authorized",
          occurredAtMs: 1_795_239_476_695n,
          actor: "key:abc",
          requestId: "req_1",
          statusBefore: PaymentStatus.PROCESSING,
          statusAfter: PaymentStatus.AUTHORIZED,
          amount: 10_000n,
          operationId: "att_1",
          details: { processor_code: "00" },
          before,
          after: { ...before, authorized: 10_000n },
        },
      ],
    });
    const answer = await get(`/v1/payments/${id}/events?limit=1&after_sequence=1`);
    expect(answer.body).toEqual({
      data: [
        {
          sequence: 2,
          type: "payment_authorized",
          occurred_at: "2026-11-21T05:37:56.695Z",
          actor: "key:abc",
          request_id: "req_1",
          status_before: "processing",
          status_after: "authorized",
          amount: 10_000,
          operation_id: "att_1",
          before: { amount_authorized: 0, amount_captured: 0, amount_refunded: 0 },
          after: { amount_authorized: 10_000, amount_captured: 0, amount_refunded: 0 },
          details: { processor_code: "00" },
        },
      ],
      has_more: true,
    });
    expect(lastRequest()?.request).toMatchObject({ paymentId: id, limit: 1, afterSequence: 1 });
  });

  test("the OpenAPI document is served without a key", async () => {
    const answer = await call(edge, "GET", "/openapi.json");
    expect([answer.status, answer.body.openapi]).toEqual([200, "3.1.0"]);
  });
});

describe("the status rules of idempotency", () => {
  const replayed = () => done({ disposition: Disposition.REPLAYED });
  test.each([
    ["/v1/payments", authorizeBody, 201],
    ["/v1/payments/authorize", authorizeBody, 201],
    [`/v1/payments/${id}/authorize`, { payment_method: authorizeBody.payment_method }, 201],
    [`/v1/payments/${id}/capture`, { amount: 1 }, 200],
    [`/v1/payments/${id}/void`, {}, 200],
    [`/v1/payments/${id}/refund`, { reason: "x" }, 200],
  ])("%s: done, replayed byte for byte, in flight", async (path, body, doneStatus) => {
    const first = await post(path, body);
    expect([first.status, first.headers.get("idempotent-replayed")]).toEqual([doneStatus, null]);
    stage.script.operation = replayed;
    const again = await post(path, body);
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([200, "true"]);
    expect(again.text).toBe(first.text);
    stage.script.operation = () => create(OperationResultSchema, { disposition: Disposition.IN_FLIGHT, retryAfterMs: 2_000 });
    const waiting = await post(path, body);
    expect([waiting.status, waiting.headers.get("retry-after"), waiting.body]).toEqual([202, "2", { id: null, status: "processing" }]);
  });

  test("in flight with a known payment shows it", async () => {
    stage.script.operation = () => done({ disposition: Disposition.IN_FLIGHT, payment: paymentSamples["ambiguous"] });
    const answer = await post("/v1/payments/authorize", authorizeBody);
    expect([answer.status, answer.headers.get("retry-after"), answer.body.status]).toEqual([202, "2", "ambiguous"]);
    expect(answer.body.resolves_by).toMatch(/Z$/);
  });

  test("a decline is 402 with the payment in it, and its replay keeps the status", async () => {
    const refusal = { code: "card_declined", declineCode: "retry_allowed", message: "The card has insufficient funds." };
    stage.script.operation = () => done({ payment: paymentSamples["declined"], refusal });
    const first = await post("/v1/payments/authorize", authorizeBody);
    expect(first.status).toBe(402);
    expect(first.body.error).toMatchObject({
      type: "card_error",
      code: "card_declined",
      decline_code: "retry_allowed",
      message: "The card has insufficient funds.",
      request_id: first.headers.get("request-id"),
      payment: { id, status: "declined" },
    });
    stage.script.operation = () => done({ payment: paymentSamples["declined"], refusal, disposition: Disposition.REPLAYED });
    const again = await post("/v1/payments/authorize", authorizeBody);
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([402, "true"]);
    const withoutId = (text: string) => text.replace(/req_[0-9a-z]{26}/, "");
    expect(withoutId(again.text)).toBe(withoutId(first.text));
  });

  test("the same key with other parameters is 422", async () => {
    stage.script.operation = () => done({ payment: undefined, refusal: { code: "idempotency_key_reuse", message: "used" } });
    const answer = await post("/v1/payments/authorize", authorizeBody);
    expect([answer.status, answer.body.error.code, answer.body.error.type]).toEqual([422, "idempotency_key_reuse", "idempotency"]);
    expect(answer.body.error.payment).toBeUndefined();
  });

  test.each([
    [null, "idempotency_key_missing"],
    ["k".repeat(256), "idempotency_key_invalid"],
    ["k\u00e9", "idempotency_key_invalid"],
    ["k\tk", "idempotency_key_invalid"],
    ["", "idempotency_key_missing"],
    ["  ", "idempotency_key_missing"],
  ])("a mutation with the key %j is refused before the switch sees it", async (key, code) => {
    const answer = await post("/v1/payments/authorize", authorizeBody, { key });
    expect([answer.status, answer.body.error.code]).toEqual([400, code]);
    expect(stage.script.received).toEqual([]);
  });

  test("a key of 255 characters is taken", async () => {
    expect((await post("/v1/payments/authorize", authorizeBody, { key: "k".repeat(255) })).status).toBe(201);
  });

  test.each([
    ["payment_state_invalid", 409],
    ["amount_too_large", 400],
    ["reference_not_unique", 409],
    ["token_not_found", 404],
    ["token_already_used", 409],
    ["token_expired", 410],
    ["token_deleted", 410],
    ["refund_declined", 402],
    ["processor_unavailable", 503],
  ] satisfies [ErrorCode, number][])("the refusal %s is %d", async (code, status) => {
    stage.script.operation = () => done({ payment: undefined, refusal: { code, message: "m", param: "amount" } });
    const answer = await post(`/v1/payments/${id}/capture`, { amount: 1 });
    expect([answer.status, answer.body.error.code, answer.body.error.param]).toEqual([status, code, "amount"]);
  });

  test("a refusal that this release does not know, and an answer without a payment, are our fault", async () => {
    for (const result of [done({ refusal: { code: "from_the_future" } }), done({ payment: undefined }), done({ disposition: 0 })]) {
      stage.script.operation = () => result;
      const answer = await post("/v1/payments/authorize", authorizeBody);
      expect([answer.status, answer.body.error.code]).toEqual([500, "internal"]);
    }
  });
});

describe("faults of the switch", () => {
  test.each([
    ["overloaded", "not_done", 503],
    ["unavailable", "unknown", 503],
    ["deadline_exceeded", "unknown", 503],
    ["peer_lost", "unknown", 503],
    ["internal", "unknown", 500],
  ] as const)("%s is %s with a code and when to come back", async (code, work, status) => {
    stage.script.operation = () => {
      throw new AppError(code, "secret detail", { work, cause: new Error("4242424242424242") });
    };
    const answer = await post("/v1/payments/authorize", authorizeBody);
    expect([answer.status, answer.body.error.code, answer.body.error.type]).toEqual([status, code, errorCatalogue[code].type]);
    expect(answer.headers.get("retry-after")).toBe(status === 503 ? "1" : null);
    expect(answer.text).not.toContain("4242");
  });

  test("a merchant is not told to mend what is ours: our own certificate, our own limits", async () => {
    for (const [code, shown] of [
      ["caller_not_allowed", "internal"],
      ["api_key_invalid", "internal"],
      ["rate_limited", "overloaded"],
      ["cancelled", "unavailable"],
    ] as const) {
      stage.script.operation = () => {
        throw new AppError(code, "inside", { work: "not_done" });
      };
      const answer = await post("/v1/payments/authorize", authorizeBody);
      expect(answer.body.error.code).toBe(shown);
    }
  });

  test("a switch that is too slow is 503, outcome unknown", async () => {
    const hasty = await stage.startEdge({ mutationTimeoutMs: 50 });
    stage.script.operation = () => new Promise((resolve) => setTimeout(() => resolve(done()), 300));
    const answer = await call(hasty, "POST", "/v1/payments/authorize", { secretKey, body: authorizeBody });
    expect([answer.status, answer.body.error.code]).toEqual([503, "deadline_exceeded"]);
    await hasty.stop();
  });

  test("more calls than the link takes are refused at once, and none of them was done", async () => {
    const narrow = await stage.startEdge({ commandsInFlightMax: 2 });
    stage.script.operation = () => new Promise((resolve) => setTimeout(() => resolve(done()), 200));
    const answers = await Promise.all(
      [1, 2, 3].map(() => call(narrow, "POST", "/v1/payments/authorize", { secretKey, body: authorizeBody })),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 201, 503]);
    expect(answers.find((answer) => answer.status === 503)?.body.error.code).toBe("overloaded");
    expect(stage.script.received).toHaveLength(2);
    await narrow.stop();
  });

  test("a switch that is away is 503, and payments go on when it is back", async () => {
    await stage.stopSwitch();
    const away = await post("/v1/payments/authorize", authorizeBody);
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "1"]);
    await stage.startSwitch();
    await expect.poll(async () => (await post("/v1/payments/authorize", authorizeBody)).status, { timeout: 15_000 }).toBe(201);
  });
});

describe("every answer", () => {
  test("has a request id, is not cached or sniffed, and says its length", async () => {
    const answers = await Promise.all([
      post("/v1/payments/authorize", authorizeBody),
      get("/v1/nothing"),
      call(edge, "GET", "/v1/payments"),
    ]);
    for (const { headers } of answers) {
      expect(headers.get("request-id")).toMatch(/^req_[0-9a-z]{26}$/);
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(Number(headers.get("content-length"))).toBeGreaterThan(2);
    }
  });

  test("gives back what the caller calls its request, when that is printable and short", async () => {
    const own = async (id: string) => (await get2(id)).headers.get("x-request-id");
    const get2 = (id: string) => call(edge, "GET", "/v1/payments", { secretKey, headers: { "x-request-id": id } });
    expect([await own("checkout-7f/1"), await own("i".repeat(128)), await own("i".repeat(129)), await own("a b"), await own("é")]).toEqual([
      "checkout-7f/1",
      "i".repeat(128),
      null,
      null,
      null,
    ]);
    // Ours stays ours: it is what the audit trail has.
    const answer = await call(edge, "GET", "/v1/nothing", { headers: { "request-id": "mine", "x-request-id": "mine" } });
    expect(answer.headers.get("x-request-id")).toBe("mine");
    expect(answer.body.error.request_id).toMatch(/^req_/);
    expect(lastRequest()?.request["caller"]).toMatchObject({ requestId: expect.stringMatching(/^req_/) });
  });

  test("carries the merchant's trace to the switch, or begins one", async () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    await post("/v1/payments/authorize", authorizeBody, { headers: { traceparent } });
    expect(lastRequest()?.context.traceparent).toBe(traceparent);
    await post("/v1/payments/authorize", authorizeBody, { headers: { traceparent: "nonsense" } });
    expect(lastRequest()?.context.traceparent).toMatch(/^00-(?!4bf92)[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  test("is counted by route and class", async () => {
    await get(`/v1/payments/${id}`);
    const metrics = await edge.scrape();
    expect(metrics).toMatch(/edge_requests_total\{[^}]*route="getPayment"[^}]*status_class="4xx"[^}]*\} \d/);
    expect(metrics).toMatch(/edge_request_duration_seconds_count\{[^}]*route="authorizeNewPayment"[^}]*status_class="2xx"/);
    expect(metrics).toMatch(/edge_api_key_lookups_total\{[^}]*result="cache"/);
  });
});
