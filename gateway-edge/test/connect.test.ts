/** PaymentService over Connect: the same rules by another door. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Disposition, Mode, PaymentService, PaymentStatus, RefusalSchema } from "@florin/gen/payments/v1/payments";
import { AppError } from "@florin/kernel";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { authorizedPayment, paymentSamples } from "../src/rest/payment-samples.ts";
import { call, done, type Edge, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let edge: Edge;
let own: { merchantId: string; secretKey: string };
const id = authorizedPayment().id;
const create = {
  idempotencyKey: "k1",
  amount: 10_000n,
  currency: "EUR",
  paymentMethod: { type: "card", token: "tok_visa_4242" },
  confirm: true,
};

beforeAll(async () => {
  stage = await openStage();
  edge = await stage.startEdge();
  own = await stage.newKey();
});
afterAll(() => stage?.stop());
beforeEach(() => stage.script.reset());

const transports = {
  "Connect, binary": () => createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1", useBinaryFormat: true }),
  "Connect, JSON": () => createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1", useBinaryFormat: false }),
  "gRPC-Web": () => createGrpcWebTransport({ baseUrl: edge.url, httpVersion: "1.1" }),
} as const;
const client = (transport: keyof typeof transports = "Connect, binary") => createClient(PaymentService, transports[transport]());
const headers = (secretKey = own.secretKey) => ({ headers: { authorization: `Bearer ${secretKey}` } });

async function faultOf(
  call: Promise<unknown>,
): Promise<{ code: string; detail: string | undefined; param: string | undefined; error: ConnectError }> {
  const error = ConnectError.from(
    await call.then(
      () => new Error("it was answered"),
      (thrown: unknown) => thrown,
    ),
  );
  const [detail] = error.findDetails(RefusalSchema);
  return { code: Code[error.code] ?? "", detail: detail?.code, param: detail?.param, error };
}

describe.each(Object.keys(transports) as (keyof typeof transports)[])("%s", (transport) => {
  test("a payment is made in the name of the key, whoever the message says it is", async () => {
    const caller = { merchantId: "mer_7zzzzzzzzzzzzzzzzzzzzzzzzz", mode: Mode.LIVE, actor: "service:me", requestId: "mine" };
    let requestId: string | null = null;
    const onHeader = (answer: Headers) => {
      requestId = answer.get("request-id");
    };
    const { result } = await client(transport).createPayment({ ...create, caller }, { ...headers(), onHeader });
    expect(result).toMatchObject({ disposition: Disposition.DONE, payment: { id, status: PaymentStatus.AUTHORIZED } });
    expect(requestId).toMatch(/^req_[0-9a-z]{26}$/);
    expect(stage.script.received[0]?.request).toMatchObject({
      caller: { merchantId: own.merchantId, mode: Mode.TEST, actor: `key:${own.secretKey.slice(8, 24)}`, requestId },
      idempotencyKey: "k1",
      amount: 10_000n,
      confirm: true,
      paymentMethod: { token: "tok_visa_4242" },
    });
  });

  test("faults are codes with a refusal as detail", async () => {
    expect(await faultOf(client(transport).createPayment(create))).toMatchObject({ code: "Unauthenticated", detail: "api_key_missing" });
    expect(await faultOf(client(transport).createPayment({ ...create, amount: 0n }, headers()))).toMatchObject({
      code: "InvalidArgument",
      detail: "amount_invalid",
      param: "amount",
    });
    expect(stage.script.received).toEqual([]);
  });
});

describe("the operations", () => {
  test("authorize, capture, void and refund pass with what they carry", async () => {
    const options = headers();
    const { paymentMethod } = create;
    await client().authorizePayment({ idempotencyKey: "a", paymentId: id, paymentMethod, customerIp: "203.0.113.7" }, options);
    await client().capturePayment({ idempotencyKey: "b", paymentId: id, amount: 1n }, options);
    await client().capturePayment({ idempotencyKey: "c", paymentId: id }, options);
    await client().voidPayment({ idempotencyKey: "d", paymentId: id }, options);
    await client().refundPayment({ idempotencyKey: "e", paymentId: id, reason: "returned" }, options);
    expect(stage.script.received.map(({ method, request }) => [method, request["idempotencyKey"], request["amount"]])).toEqual([
      ["authorizePayment", "a", undefined],
      ["capturePayment", "b", 1n],
      ["capturePayment", "c", undefined],
      ["voidPayment", "d", undefined],
      ["refundPayment", "e", undefined],
    ]);
  });

  test("how long a processor took stays inside: an answer and its replay are the same", async () => {
    stage.script.operation = () => done({ processorMs: 750 });
    expect((await client().createPayment(create, headers())).result?.processorMs).toBe(0);
  });

  test("a decline, a replay and a key in flight are in the answer, as the contract has them", async () => {
    const refusal = { code: "card_declined", declineCode: "retry_allowed", message: "no" };
    stage.script.operation = () => done({ payment: paymentSamples["declined"], refusal, disposition: Disposition.REPLAYED });
    const { result } = await client().createPayment(create, headers());
    expect(result).toMatchObject({ disposition: Disposition.REPLAYED, refusal, payment: { id } });
    stage.script.operation = () => done({ payment: undefined, disposition: Disposition.IN_FLIGHT, retryAfterMs: 2_000 });
    let retryAfter: string | null = null;
    const onHeader = (answer: Headers) => {
      retryAfter = answer.get("retry-after");
    };
    const waiting = await client().createPayment(create, { ...headers(), onHeader });
    expect([waiting.result?.disposition, retryAfter]).toEqual([Disposition.IN_FLIGHT, "2"]);
  });

  test("reads", async () => {
    stage.script.payment = () => authorizedPayment();
    stage.script.list = () => ({ payments: [authorizedPayment()], nextCursor: "c" });
    stage.script.events = () => ({ found: true, entries: [{ sequence: 1, type: "payment_created" }] });
    expect((await client().getPayment({ paymentId: id }, headers())).payment?.id).toBe(id);
    expect((await client().listPayments({ limit: 100, merchantReference: "x" }, headers())).nextCursor).toBe("c");
    expect((await client().listPaymentEvents({ paymentId: id }, headers())).entries[0]?.type).toBe("payment_created");
    stage.script.routing = () => ({ found: true, decisions: [{ strategy: "listed" }] });
    expect((await client().getPaymentRouting({ paymentId: id }, headers())).decisions[0]?.strategy).toBe("listed");
    expect(stage.script.received[1]?.request).toMatchObject({ limit: 100, merchantReference: "x", caller: { merchantId: own.merchantId } });
  });
});

describe("the same rules", () => {
  test.each([
    [
      "no idempotency key",
      () => client().createPayment({ ...create, idempotencyKey: "" }, headers()),
      "InvalidArgument",
      "idempotency_key_missing",
    ],
    [
      "an overlong key",
      () => client().voidPayment({ idempotencyKey: "k".repeat(256), paymentId: id }, headers()),
      "InvalidArgument",
      "idempotency_key_invalid",
    ],
    ["an unknown currency", () => client().createPayment({ ...create, currency: "eur" }, headers()), "InvalidArgument", "currency_unknown"],
    [
      "too large an amount",
      () => client().createPayment({ ...create, amount: 1_000_000_000_000n }, headers()),
      "InvalidArgument",
      "amount_invalid",
    ],
    [
      "a negative capture",
      () => client().capturePayment({ idempotencyKey: "k", paymentId: id, amount: -1n }, headers()),
      "InvalidArgument",
      "amount_invalid",
    ],
    [
      "no payment method",
      () => client().authorizePayment({ idempotencyKey: "k", paymentId: id }, headers()),
      "InvalidArgument",
      "parameter_missing",
    ],
    ["no reason", () => client().refundPayment({ idempotencyKey: "k", paymentId: id }, headers()), "InvalidArgument", "parameter_missing"],
    ["a large page", () => client().listPayments({ limit: 101 }, headers()), "InvalidArgument", "parameter_invalid"],
    ["a malformed id", () => client().getPayment({ paymentId: "x" }, headers()), "NotFound", "payment_not_found"],
    ["an unknown id", () => client().getPayment({ paymentId: id }, headers()), "NotFound", "payment_not_found"],
    ["a routing of nobody", () => client().getPaymentRouting({ paymentId: id }, headers()), "NotFound", "payment_not_found"],
    ["a timeline of nobody", () => client().listPaymentEvents({ paymentId: id }, headers()), "NotFound", "payment_not_found"],
    ["a wrong key", () => client().getPayment({ paymentId: id }, headers("sk_test_x")), "Unauthenticated", "api_key_invalid"],
  ])("%s", async (_, run, code, detail) => {
    expect(await faultOf(run())).toMatchObject({ code, detail });
  });

  test("the idempotency key may stand in the header, but not differ from the message's", async () => {
    const both = { headers: { ...headers().headers, "idempotency-key": "k2" } };
    await client().createPayment({ ...create, idempotencyKey: "" }, both);
    expect(stage.script.received.at(-1)?.request["idempotencyKey"]).toBe("k2");
    expect(await faultOf(client().createPayment(create, both))).toMatchObject({ detail: "idempotency_key_invalid" });
  });

  test("a fault of the switch keeps its code, says when to come back and shows no cause", async () => {
    stage.script.operation = () => {
      throw new AppError("peer_lost", "the connection broke", { work: "unknown" });
    };
    const lost = await faultOf(client().createPayment(create, headers()));
    expect([lost.code, lost.detail, lost.error.metadata.get("retry-after")]).toEqual(["Unavailable", "peer_lost", "1"]);
    stage.script.operation = () => {
      throw new TypeError("4242424242424242");
    };
    const bug = await faultOf(client().createPayment(create, headers()));
    expect([bug.code, bug.detail]).toEqual(["Internal", "internal"]);
    expect(bug.error.message).not.toContain("4242");
  });

  test("the rate limit is the key's, by whichever door it comes", async () => {
    const strict = await stage.startEdge({ rate: { burst: 2, perSecond: 1 } });
    const { secretKey } = await stage.newKey();
    const there = createClient(PaymentService, createConnectTransport({ baseUrl: strict.url, httpVersion: "1.1" }));
    await there.createPayment(create, headers(secretKey));
    expect((await call(strict, "GET", "/v1/payments", { secretKey })).status).toBe(200);
    expect(await faultOf(there.createPayment(create, headers(secretKey)))).toMatchObject({
      code: "ResourceExhausted",
      detail: "rate_limited",
    });
    expect(await strict.scrape()).toMatch(/edge_requests_total\{[^}]*route="rpc.createPayment"[^}]*status_class="4xx"[^}]*\} 1/);
    await strict.stop();
  });

  test("a message larger than the limit is refused", async () => {
    const { code, detail } = await faultOf(client().createPayment({ ...create, description: "d".repeat(17_000) }, headers()));
    expect([code, detail]).toEqual(["InvalidArgument", "body_too_large"]);
    expect(stage.script.received).toEqual([]);
  });
});
