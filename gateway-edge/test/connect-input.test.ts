/** What Connect and gRPC-Web refuse, and how: with the codes of REST, in the words of the caller's protocol. Requests are sent as raw bytes. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { CreatePaymentRequestSchema, PaymentService, type Refusal, RefusalSchema } from "@florin/gen/payments/v1/payments";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../src/domain/limits.ts";
import { authorizedPayment } from "../src/rest/payment-samples.ts";
import { type Edge, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let edge: Edge;
let secretKey: string;
const id = authorizedPayment().id;

beforeAll(async () => {
  stage = await openStage();
  edge = await stage.startEdge();
  ({ secretKey } = await stage.newKey());
});
afterAll(() => stage?.stop());
beforeEach(() => stage.script.reset());

const good =
  '{"idempotencyKey":"k1","amount":"10000","currency":"EUR","confirm":true,"paymentMethod":{"type":"card","token":"tok_visa_4242"}}';
const goodMessage = () =>
  toBinary(
    CreatePaymentRequestSchema,
    create(CreatePaymentRequestSchema, { idempotencyKey: "k1", amount: 10_000n, currency: "EUR", confirm: false }),
  );

type Sent = { readonly status: number; readonly headers: Headers; readonly text: string; readonly refusal: Refusal | undefined };

async function send(
  method: string,
  body: string | Uint8Array,
  o: { headers?: Record<string, string>; httpMethod?: string; at?: Pick<Edge, "url"> } = {},
): Promise<Sent> {
  const response = await fetch(`${(o.at ?? edge).url}/florin.payments.v1.PaymentService/${method}`, {
    method: o.httpMethod ?? "POST",
    headers: { authorization: `Bearer ${secretKey}`, "content-type": "application/json", ...o.headers },
    ...(o.httpMethod === "GET" ? {} : { body: body as string }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, refusal: refusalIn(text) };
}

/** The detail of an error in Connect's JSON. */
function refusalIn(text: string): Refusal | undefined {
  if (!text.startsWith('{"code"')) return undefined;
  const { details = [] } = JSON.parse(text) as { details?: readonly { type: string; value: string }[] };
  const detail = details.find(({ type }) => type === "florin.payments.v1.Refusal");
  return detail === undefined ? undefined : fromBinary(RefusalSchema, Buffer.from(detail.value, "base64"));
}

const withAmount = (text: string) => good.replace('"10000"', text);
const withField = (field: string) => good.replace("{", `{${field},`);

describe("messages in JSON", () => {
  test("the good one passes, with the amount as text or as a plain number", async () => {
    for (const body of [good, withAmount("10000"), withField('"captureMode":"CAPTURE_MODE_AUTOMATIC"'), withField('"captureMode":2')])
      expect((await send("CreatePayment", body)).status).toBe(200);
    expect(stage.script.received.map(({ request }) => [request["amount"], request["captureMode"]])).toEqual([
      [10_000n, 0],
      [10_000n, 0],
      [10_000n, 2],
      [10_000n, 2],
    ]);
  });

  test.each([
    ["a float", withAmount("1.5"), "amount_invalid", "amount"],
    ["a float that is whole", withAmount("1000.0"), "amount_invalid", "amount"],
    ["an exponent", withAmount("1e3"), "amount_invalid", "amount"],
    ["an exponent as text", withAmount('"1e3"'), "amount_invalid", "amount"],
    ["hex as text", withAmount('"0x3e8"'), "amount_invalid", "amount"],
    ["white space around digits", withAmount('" 10"'), "amount_invalid", "amount"],
    ["a plus sign", withAmount('"+10"'), "amount_invalid", "amount"],
    ["minus zero", withAmount('"-0"'), "amount_invalid", "amount"],
    ["a negative amount", withAmount('"-100"'), "amount_invalid", "amount"],
    ["zero", withAmount("0"), "amount_invalid", "amount"],
    ["one above the largest", withAmount('"1000000000000"'), "amount_invalid", "amount"],
    ["more than int64", withAmount('"9223372036854775808"'), "amount_invalid", "amount"],
    ["more than int64 as a number", withAmount("9223372036854775808"), "amount_invalid", "amount"],
    ["null", withAmount("null"), "amount_invalid", "amount"],
    ["a list as amount", withAmount("[1]"), "amount_invalid", "amount"],
    ["an unknown currency", good.replace("EUR", "EUX"), "currency_unknown", "currency"],
    ["a repeated key", withField('"amount":5'), "invalid_json", "amount"],
    ["a key in both spellings", withField('"idempotency_key":"k1"'), "invalid_json", "idempotency_key"],
    ["an unknown field", withField('"amnt":5'), "parameter_unknown", "amnt"],
    ["an unknown field inside", good.replace('"type"', '"cvc":"1","type"'), "parameter_unknown", "payment_method.cvc"],
    ["an unknown capture mode", withField('"captureMode":"CAPTURE_MODE_LATER"'), "parameter_invalid", "capture_mode"],
    ["a capture mode without a name", withField('"captureMode":7'), "parameter_invalid", "capture_mode"],
    ["a wrong type inside", good.replace('"tok_visa_4242"', "5"), "parameter_invalid", "payment_method.token"],
    ["__proto__", withField('"__proto__":{"amount":"1"}'), "invalid_json", "__proto__"],
    ["__proto__ in metadata", withField('"metadata":{"__proto__":"x"}'), "invalid_json", "metadata.__proto__"],
    ["half a surrogate pair", withField('"description":"\\ud800"'), "invalid_json", "description"],
    ["nesting", withField(`"metadata":${"[".repeat(9)}${"]".repeat(9)}`), "invalid_json", undefined],
    ["as much nesting as a body can hold", `${"[".repeat(8_000)}${"]".repeat(8_000)}`, "invalid_json", undefined],
    ["no JSON", "{{{", "invalid_json", undefined],
    ["nothing", "", "invalid_json", undefined],
    ["a list", "[]", "parameter_invalid", undefined],
  ])("%s is refused with code and field", async (_, body, code, param) => {
    const { status, refusal, headers } = await send("CreatePayment", body);
    expect([status, refusal?.code, headers.get("request-id")?.slice(0, 4)]).toEqual([400, code, "req_"]);
    if (param !== undefined) expect(refusal?.param).toBe(param);
    expect(stage.script.received).toEqual([]);
  });

  test("null is not read as all that remains", async () => {
    const { refusal } = await send("CapturePayment", `{"idempotencyKey":"k","paymentId":"${id}","amount":null}`);
    expect([refusal?.code, stage.script.received]).toEqual(["amount_invalid", []]);
  });

  test("a refusal does not repeat what was sent", async () => {
    for (const body of [withAmount('"4242424242424242x"'), good.replace('"tok_visa_4242"', "4242424242424242"), '{"4242424242424242'])
      expect((await send("CreatePayment", body)).text).not.toContain("4242424242424242");
  });
});

describe("messages in binary", () => {
  const binary = { headers: { "content-type": "application/proto" } };
  const framed = { headers: { "content-type": "application/grpc-web+proto" } };
  const frame = (message: Uint8Array, flags = 0) => {
    const head = Buffer.alloc(5);
    head.writeUInt8(flags, 0);
    head.writeUInt32BE(message.length, 1);
    return Buffer.concat([head, message]);
  };
  /** Field 99, varint 1. */
  const unknownField = Buffer.from([0x98, 0x06, 0x01]);
  /** Field 5 (capture_mode), varint 7. */
  const unknownEnum = Buffer.from([0x28, 0x07]);
  /** Field 10 (payment_method) with field 99 inside. */
  const unknownInside = Buffer.from([0x52, 0x03, ...unknownField]);
  /** Field 8 (description), one byte that is no UTF-8. */
  const brokenText = Buffer.from([0x42, 0x01, 0xff]);
  const cases = [
    ["an unknown field", unknownField, "parameter_unknown", "#99"],
    ["an unknown field inside", unknownInside, "parameter_unknown", "payment_method.#99"],
    ["a capture mode without a name", unknownEnum, "parameter_invalid", "capture_mode"],
    ["text that is not UTF-8", brokenText, "parameter_invalid", ""],
    ["half a message", Buffer.from([0x42, 0x7f]), "parameter_invalid", ""],
  ] as const;

  test("the good one passes", async () => {
    expect((await send("CreatePayment", goodMessage(), binary)).status).toBe(200);
    expect((await send("CreatePayment", frame(goodMessage()), framed)).status).toBe(200);
    expect(stage.script.received).toHaveLength(2);
  });

  test.each(cases)("%s is refused", async (_, tail, code, param) => {
    const { status, refusal } = await send("CreatePayment", Buffer.concat([goodMessage(), tail]), binary);
    expect([status, refusal?.code, refusal?.param]).toEqual([400, code, param]);
    expect(stage.script.received).toEqual([]);
  });

  test.each(cases)("%s is refused in a frame", async (_, tail, code) => {
    const { status, text } = await send("CreatePayment", frame(Buffer.concat([goodMessage(), tail])), framed);
    // gRPC-Web says its no in the trailers: 3 is INVALID_ARGUMENT, and the detail holds the code.
    expect([status, text]).toEqual([200, expect.stringMatching(/grpc-status: 3\r?\n/i)]);
    expect(Buffer.from(/grpc-status-details-bin: (\S+)/i.exec(text)?.[1] ?? "", "base64").toString("latin1")).toContain(code);
    expect(stage.script.received).toEqual([]);
  });

  test.each([
    ["a frame cut short", frame(goodMessage()).subarray(0, -1)],
    ["two frames", Buffer.concat([frame(goodMessage()), frame(goodMessage())])],
    ["a frame that says it is compressed", frame(goodMessage(), 1)],
    ["no frame", Buffer.alloc(0)],
  ])("%s is refused", async (_, body) => {
    const { text } = await send("CreatePayment", body, framed);
    expect(text).toMatch(/grpc-status: 3\r?\n/i);
    expect(stage.script.received).toEqual([]);
  });
});

describe("the list", () => {
  test.each([
    ['"limit":101', "limit"],
    ['"status":99', "status"],
    ['"status":"PAYMENT_STATUS_PAID"', "status"],
    ['"merchantReference":"a\\u0000b"', "merchant_reference"],
    [`"merchantReference":"${"r".repeat(256)}"`, "merchant_reference"],
    ['"createdFromMs":"-1"', "created_from_ms"],
    ['"createdToMs":"253402300800000"', "created_to_ms"],
    ['"createdToMs":"0x1"', "created_to_ms"],
    ['"cursor":"a b"', "cursor"],
    [`"cursor":"${"c".repeat(limits.cursorLengthMax + 1)}"`, "cursor"],
  ])("{%s} is refused before the switch sees it", async (field, param) => {
    const { status, refusal } = await send("ListPayments", `{${field}}`);
    expect([status, refusal?.code, refusal?.param]).toEqual([400, "parameter_invalid", param]);
    expect(stage.script.received).toEqual([]);
  });

  test("every filter at its limit passes", async () => {
    const body = `{"limit":100,"status":11,"merchantReference":"${"r".repeat(255)}","createdFromMs":"0","createdToMs":"253402300799999","cursor":"${"c".repeat(limits.cursorLengthMax)}"}`;
    expect((await send("ListPayments", body)).status).toBe(200);
  });
});

describe("who asks comes first", () => {
  test("without a key nobody is told what is wrong with the message, and asking so counts as a failure", async () => {
    const strict = await stage.startEdge({ failureRate: { burst: 2, perSecond: 0.01 } });
    const ask = (authorization: string) => send("CreatePayment", "{{{", { headers: { authorization }, at: strict });
    const codes = [await ask(""), await ask("Bearer x"), await ask("Bearer x")].map(({ status, refusal }) => [status, refusal?.code]);
    expect(codes).toEqual([
      [401, "api_key_invalid"],
      [401, "api_key_invalid"],
      [429, "rate_limited"],
    ]);
    await strict.stop();
  });

  test("a refusal for want of a key says how to bring one", async () => {
    expect((await send("GetPayment", "{}", { headers: { authorization: "Bearer x" } })).headers.get("www-authenticate")).toBe("Bearer");
  });

  test("messages that are refused count against the rate of the key too", async () => {
    const strict = await stage.startEdge({ rate: { burst: 2, perSecond: 0.01 } });
    const answers = [];
    for (let index = 0; index < 3; index++) answers.push(await send("CreatePayment", "{{{", { at: strict }));
    expect(answers.map(({ refusal }) => refusal?.code)).toEqual(["invalid_json", "invalid_json", "rate_limited"]);
    expect(Number(answers[2]?.headers.get("retry-after"))).toBeGreaterThan(1);
    await strict.stop();
  });
});

describe("what is no call", () => {
  test.each(["GET", "PUT", "DELETE", "OPTIONS"])("%s is 405, and says what is allowed", async (httpMethod) => {
    const { status, headers, text } = await send("GetPayment", "{}", { httpMethod });
    expect([status, headers.get("allow"), JSON.parse(text).error.code]).toEqual([405, "POST", "method_not_allowed"]);
  });

  test.each([
    "text/plain",
    "application/xml",
    "application/grpc",
    "application/connect+proto",
    "application/grpc-web-text",
    "application/json; charset=latin1",
  ])("the content type %s is 415 in the body of REST", async (contentType) => {
    const { status, text } = await send("GetPayment", "{}", { headers: { "content-type": contentType } });
    expect([status, JSON.parse(text).error.code]).toEqual([415, "invalid_content_type"]);
  });

  test("an unknown method is 404 with the error body", async () => {
    const { status, text } = await send("StealPayment", "{}");
    expect([status, JSON.parse(text).error.code]).toEqual([404, "route_unknown"]);
  });

  test.each(["gzip", "br", "nonsense"])("a body in %s is refused, not unpacked", async (encoding) => {
    const { refusal } = await send("GetPayment", "{}", { headers: { "content-encoding": encoding } });
    expect(refusal?.code).toBe("invalid_content_type");
  });

  test("one byte more than the limit is refused", async () => {
    const sized = (bytes: number) => good + " ".repeat(bytes - good.length);
    expect((await send("CreatePayment", sized(limits.bodyBytesMax))).status).toBe(200);
    expect((await send("CreatePayment", sized(limits.bodyBytesMax + 1))).refusal?.code).toBe("body_too_large");
  });
});

describe("every answer", () => {
  test("has one request id, the caller's own beside it, and is not cached", async () => {
    const headers = { "x-request-id": "mine-1" };
    for (const answer of [await send("CreatePayment", good, { headers }), await send("CreatePayment", "{{{", { headers })]) {
      expect(answer.headers.get("request-id")).toMatch(/^req_[0-9a-z]{26}$/);
      expect(answer.headers.get("x-request-id")).toBe("mine-1");
      expect(answer.headers.get("cache-control")).toBe("no-store");
    }
  });

  test("comes whatever the client's deadline says: what has begun is finished", async () => {
    for (const timeout of ["1", "abc"]) {
      const { status } = await send("CreatePayment", good, { headers: { "connect-timeout-ms": timeout } });
      expect(status).toBe(200);
    }
    expect(stage.script.received).toHaveLength(2);
  });

  test("is not compressed for a client that offers it", async () => {
    stage.script.list = () => ({ payments: Array.from({ length: 20 }, () => authorizedPayment()) });
    const client = createClient(PaymentService, createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1" }));
    let encoding: string | null = "";
    const onHeader = (headers: Headers) => {
      encoding = headers.get("content-encoding");
    };
    const { payments } = await client.listPayments({}, { headers: { authorization: `Bearer ${secretKey}` }, onHeader });
    expect([payments.length, encoding]).toEqual([20, null]);
  });
});
