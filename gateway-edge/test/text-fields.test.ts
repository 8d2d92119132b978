/**
 * Every text that a merchant may send, against every text that must not get in, by both doors: PostgreSQL cannot keep a NUL, a control
 * character forges a log line, half a character is none. The answer names the field; the switch never sees the request.
 */
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  AuthorizePaymentRequestSchema,
  CreatePaymentRequestSchema,
  ListPaymentsRequestSchema,
  PaymentService,
  RefundPaymentRequestSchema,
  RefusalSchema,
} from "@florin/gen/payments/v1/payments";
import { isLuhnValid } from "@florin/kernel";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { authorizedPayment } from "../src/rest/payment-samples.ts";
import { authorizeBody, call, type Edge, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let edge: Edge;
let secretKey: string;
const { id } = authorizedPayment();

beforeAll(async () => {
  stage = await openStage();
  edge = await stage.startEdge();
  ({ secretKey } = await stage.newKey());
});
afterAll(() => stage?.stop());
beforeEach(() => stage.script.reset());

/** Behind a good beginning, so that only this can be what is refused. */
const hostile = { NUL: "a\u0000", "a line break": "a\n", escape: "a\u001b[2J", DEL: "a\u007f", "half a pair": "a\ud83d" } as const;
const hostileNames = Object.keys(hostile) as (keyof typeof hostile)[];

type Place = { readonly path: string; readonly param: string; readonly body: (text: string) => unknown };
const authorize = "/v1/payments/authorize";
const inNewPayment = (name: string, param = name): Place => ({
  path: authorize,
  param,
  body: (text) => ({ ...authorizeBody, [name]: text }),
});

const restPlaces: readonly Place[] = [
  inNewPayment("currency"),
  inNewPayment("capture_mode"),
  inNewPayment("merchant_reference"),
  inNewPayment("description"),
  inNewPayment("customer_ip"),
  { path: authorize, param: "metadata.k", body: (text) => ({ ...authorizeBody, metadata: { k: text } }) },
  { path: authorize, param: "metadata", body: (text) => ({ ...authorizeBody, metadata: { [text]: "v" } }) },
  { path: authorize, param: "payment_method.type", body: (text) => ({ ...authorizeBody, payment_method: { type: text, token: "tok_x" } }) },
  { path: authorize, param: "payment_method.token", body: (text) => ({ ...authorizeBody, payment_method: { type: "card", token: text } }) },
  {
    path: `/v1/payments/${id}/authorize`,
    param: "payment_method.token",
    body: (text) => ({ payment_method: { type: "card", token: text } }),
  },
  {
    path: `/v1/payments/${id}/authorize`,
    param: "customer_ip",
    body: (text) => ({ payment_method: authorizeBody.payment_method, customer_ip: text }),
  },
  { path: `/v1/payments/${id}/refund`, param: "reason", body: (text) => ({ reason: text }) },
];

describe.each(hostileNames)("%s in REST", (name) => {
  test.each(restPlaces.map((place) => [place.param, place.path, place] as const))("%s of %s", async (param, path, { body }) => {
    const answer = await call(edge, "POST", path, { secretKey, body: body(hostile[name]) });
    expect([answer.status, answer.body.error.code]).toEqual([
      400,
      expect.stringMatching(/^(parameter_invalid|currency_unknown|invalid_json)$/),
    ]);
    expect(answer.body.error.param).toBe(param);
    expect(stage.script.received).toEqual([]);
  });
});

type Message = { readonly method: string; readonly param: string; readonly bytes: (text: string) => Uint8Array };
const message = <S extends DescMessage>(method: string, param: string, desc: S, make: (text: string) => MessageInitShape<S>): Message => ({
  method,
  param,
  bytes: (text) => toBinary(desc, create(desc, make(text))),
});
const good = { idempotencyKey: "k", amount: 1n, currency: "EUR", confirm: true, paymentMethod: { type: "card", token: "tok_visa_4242" } };
const inCreate = (name: string, param: string): Message =>
  message("CreatePayment", param, CreatePaymentRequestSchema, (text) => ({ ...good, [name]: text }));

const messages: readonly Message[] = [
  inCreate("idempotencyKey", "idempotency_key"),
  inCreate("currency", "currency"),
  inCreate("merchantReference", "merchant_reference"),
  inCreate("description", "description"),
  inCreate("customerIp", "customer_ip"),
  message("CreatePayment", "metadata.k", CreatePaymentRequestSchema, (text) => ({ ...good, metadata: { k: text } })),
  message("CreatePayment", "metadata", CreatePaymentRequestSchema, (text) => ({ ...good, metadata: { [text]: "v" } })),
  message("CreatePayment", "payment_method.type", CreatePaymentRequestSchema, (text) => ({
    ...good,
    paymentMethod: { type: text, token: "tok_x" },
  })),
  message("CreatePayment", "payment_method.token", CreatePaymentRequestSchema, (text) => ({
    ...good,
    paymentMethod: { type: "card", token: text },
  })),
  message("AuthorizePayment", "customer_ip", AuthorizePaymentRequestSchema, (text) => ({
    idempotencyKey: "k",
    paymentId: id,
    paymentMethod: good.paymentMethod,
    customerIp: text,
  })),
  message("RefundPayment", "reason", RefundPaymentRequestSchema, (text) => ({ idempotencyKey: "k", paymentId: id, reason: text })),
  message("RefundPayment", "", RefundPaymentRequestSchema, (text) => ({ idempotencyKey: "k", paymentId: text, reason: "r" })),
  message("ListPayments", "merchant_reference", ListPaymentsRequestSchema, (text) => ({ merchantReference: text })),
  message("ListPayments", "cursor", ListPaymentsRequestSchema, (text) => ({ cursor: text })),
];

// Half a pair cannot be written in UTF-8; bytes that are no UTF-8 are in connect-input.test.ts.
describe.each(hostileNames.filter((name) => name !== "half a pair"))("%s in Connect", (name) => {
  test.each(messages.map((one) => [one.method, one.param, one] as const))("%s, %s", async (method, param, { bytes }) => {
    const response = await fetch(`${edge.url}/${PaymentService.typeName}/${method}`, {
      method: "POST",
      headers: { authorization: `Bearer ${secretKey}`, "content-type": "application/proto" },
      body: bytes(hostile[name]) as Uint8Array<ArrayBuffer>,
    });
    const { details = [] } = (await response.json()) as { details?: readonly { value: string }[] };
    const refusal = fromBinary(RefusalSchema, Buffer.from(details[0]?.value ?? "", "base64"));
    expect([response.status, refusal.param]).toEqual([param === "" ? 404 : 400, param]);
    expect(stage.script.received).toEqual([]);
  });
});

describe("a card number", () => {
  // Made up now, so that no file holds it: a range of Visa, and the check digit that fits.
  const body = `4${String(Math.floor(Math.random() * 1e14)).padStart(14, "0")}`;
  const number = Array.from({ length: 10 }, (_, check) => body + check).find((one) => isLuhnValid(Buffer.from(one))) as string;
  const spelled: Readonly<Record<string, string>> = {
    "in clear": number,
    "with blanks": `card ${number.replace(/....\B/g, "$& ")}`,
    "in base64": Buffer.from(number).toString("base64"),
  };
  const freePlaces = restPlaces.filter(({ param }) => /^(merchant_reference|description|metadata.*|reason)$/.test(param));

  describe.each(Object.entries(spelled))("%s", (_, text) => {
    test.each(freePlaces.map((place) => [place.param, place.path, place] as const))(
      "is refused in %s of %s",
      async (param, path, place) => {
        const answer = await call(edge, "POST", path, { secretKey, body: place.body(text) });
        expect([answer.status, answer.body.error.code, answer.body.error.param]).toEqual([400, "card_number_not_allowed", param]);
        expect(JSON.stringify(answer.body)).not.toContain(text);
        expect(stage.script.received).toEqual([]);
      },
    );

    test.each(messages.filter(({ param }) => /^(merchant_reference|description|metadata.*|reason|idempotency_key)$/.test(param)))(
      "is refused in $param of $method by Connect",
      async ({ method, param, bytes }) => {
        const response = await fetch(`${edge.url}/${PaymentService.typeName}/${method}`, {
          method: "POST",
          headers: { authorization: `Bearer ${secretKey}`, "content-type": "application/proto" },
          body: bytes(text) as Uint8Array<ArrayBuffer>,
        });
        const answer = await response.text();
        const { details = [] } = JSON.parse(answer) as { details?: readonly { value: string }[] };
        const refusal = fromBinary(RefusalSchema, Buffer.from(details[0]?.value ?? "", "base64"));
        expect([response.status, refusal.code, refusal.param]).toEqual([400, "card_number_not_allowed", param]);
        expect(answer).not.toContain(text);
        expect(stage.script.received).toEqual([]);
      },
    );
  });

  test("is refused as an idempotency key, as a token and cut over metadata", async () => {
    const pairs = Object.fromEntries((number.match(/..../g) ?? []).map((group, index) => [`part_${"abcd"[index]}`, group]));
    const refused = [
      await call(edge, "POST", authorize, { secretKey, key: number, body: authorizeBody }),
      await call(edge, "POST", authorize, {
        secretKey,
        body: { ...authorizeBody, payment_method: { type: "card", token: `tok_${number}` } },
      }),
      await call(edge, "POST", authorize, { secretKey, body: { ...authorizeBody, metadata: pairs } }),
      await call(edge, "GET", `/v1/payments?merchant_reference=${number}`, { secretKey }),
    ];
    expect(refused.map(({ body: { error } }) => [error.code, error.param])).toEqual([
      ["card_number_not_allowed", "Idempotency-Key"],
      ["card_number_not_allowed", "payment_method.token"],
      ["card_number_not_allowed", "metadata"],
      ["card_number_not_allowed", "merchant_reference"],
    ]);
    expect(stage.script.received).toEqual([]);
  });

  test("is not repeated where a field's name, a path, a query or a request id is one", async () => {
    const answers = [
      await call(edge, "POST", authorize, { secretKey, body: { ...authorizeBody, [number]: 1 } }),
      await call(edge, "POST", authorize, { secretKey, body: { ...authorizeBody, card: { number } } }),
      await call(edge, "GET", `/v1/payments/${number}`, { secretKey }),
      await call(edge, "GET", `/v1/payments?${number}=1`, { secretKey }),
      await call(edge, "GET", `/v1/payments?cursor=${number}`, { secretKey }),
      await call(edge, "GET", `/${number}`, { secretKey }),
    ];
    for (const answer of answers) expect(JSON.stringify([answer.body, [...answer.headers]])).not.toContain(number);
    const response = await fetch(`${edge.url}/v1/payments/${id}`, {
      headers: { authorization: `Bearer ${secretKey}`, "x-request-id": number },
    });
    expect(JSON.stringify([await response.text(), [...response.headers]])).not.toContain(number);
  });

  test("is not seen in an order number, a uuid, an id of ours", async () => {
    for (const reference of ["order-1001", "20261121000017", "0190a6f2-7b1e-7cc3-98c4-dc0c0c07398f", id]) {
      const answer = await call(edge, "POST", authorize, { secretKey, body: { ...authorizeBody, merchant_reference: reference } });
      expect([reference, answer.body.error?.code]).toEqual([reference, undefined]);
    }
  });
});

test("every text field of the contract that a merchant fills is in one of these lists", () => {
  const inContract = PaymentService.methods.flatMap(({ input }) =>
    input.fields.filter((field) => field.fieldKind === "scalar" && field.scalar === 9).map(({ name }) => name),
  );
  const tried = new Set(messages.map(({ param }) => param));
  const untried = [...new Set(inContract)].filter((name) => !tried.has(name));
  // Ids are tried as one: whatever is no id is not found.
  expect(untried).toEqual(["payment_id"]);
});
