/** Bad input never reaches the switch, and every answer to it is the documented error. Limits at n and n + 1. */
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../src/domain/limits.ts";
import { authorizedPayment } from "../src/rest/payment-samples.ts";
import { authorizeBody, call, done, type Edge, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let edge: Edge;
let secretKey: string;
const id = authorizedPayment().id;
const path = "/v1/payments/authorize";

beforeAll(async () => {
  stage = await openStage();
  edge = await stage.startEdge();
  ({ secretKey } = await stage.newKey());
});
afterAll(() => stage?.stop());
beforeEach(() => stage.script.reset());

const post = (body: unknown, o: { path?: string; headers?: Record<string, string> } = {}) =>
  call(edge, "POST", o.path ?? path, { secretKey, body, ...(o.headers === undefined ? {} : { headers: o.headers }) });
const good = JSON.stringify(authorizeBody);
const withAmount = (text: string) => good.replace("10000", text);

/** A body of exactly `bytes` bytes, padded with white space, which JSON allows. */
const sized = (bytes: number) => good + " ".repeat(bytes - good.length);

describe("bodies", () => {
  test.each([
    ["a float", withAmount("1.5"), "amount_invalid", "amount"],
    ["a float that is whole", withAmount("100.0"), "amount_invalid", "amount"],
    ["an exponent", withAmount("1e3"), "amount_invalid", "amount"],
    ["text", withAmount('"100"'), "amount_invalid", "amount"],
    ["zero", withAmount("0"), "amount_invalid", "amount"],
    ["minus zero", withAmount("-0"), "amount_invalid", "amount"],
    ["a negative amount", withAmount("-100"), "amount_invalid", "amount"],
    ["one above the largest", withAmount("1000000000000"), "amount_invalid", "amount"],
    ["more than int64", withAmount("9223372036854775808"), "amount_invalid", "amount"],
    ["more digits than a double has", withAmount("1".repeat(400)), "amount_invalid", "amount"],
    ["a leading zero", withAmount("0100"), "invalid_json", undefined],
    ["a leading plus", withAmount("+100"), "invalid_json", undefined],
    ["hex", withAmount("0x64"), "invalid_json", undefined],
    ["a repeated key", good.replace("{", '{"amount":1,'), "invalid_json", "amount"],
    ["a repeated key, escaped", good.replace("{", '{"\\u0061mount":1,'), "invalid_json", "amount"],
    ["an unknown field", good.replace("{", '{"x":1,'), "parameter_unknown", "x"],
    ["a merchant of its own choice", good.replace("{", '{"merchant_id":"mer_1",'), "parameter_unknown", "merchant_id"],
    ["an unknown currency", good.replace("EUR", "EUX"), "currency_unknown", "currency"],
    ["text behind the body", `${good}x`, "invalid_json", undefined],
    ["two bodies", good + good, "invalid_json", undefined],
    ["__proto__", good.replace("{", '{"__proto__":{"amount":1},'), "invalid_json", "__proto__"],
    ["half a surrogate pair", good.replace("order-1001", "\\ud800"), "invalid_json", "merchant_reference"],
    ["nesting", good.replace('"manual"', `${"[".repeat(9)}${"]".repeat(9)}`), "invalid_json", undefined],
    ["a list", `[${good}]`, "parameter_invalid", undefined],
    ["nothing", "", "invalid_json", undefined],
    ["a byte order mark", `\ufeff${good}`, "invalid_json", undefined],
  ])("%s is refused", async (_, body, code, param) => {
    const answer = await post(body);
    expect([answer.status, answer.body.error.code]).toEqual([400, code]);
    if (param !== undefined) expect(answer.body.error.param).toBe(param);
    expect(stage.script.received).toEqual([]);
  });

  test("bytes that are not UTF-8 are refused", async () => {
    const answer = await post(Buffer.from(good.replace("order-1001", "\u00e9"), "latin1"));
    expect([answer.status, answer.body.error.code]).toEqual([400, "invalid_json"]);
  });

  test("the largest amount and the largest body pass, one byte more does not", async () => {
    expect((await post(withAmount(String(limits.amountMinorMax)))).status).toBe(201);
    expect(stage.script.received.at(-1)?.request["amount"]).toBe(BigInt(limits.amountMinorMax));
    expect((await post(sized(limits.bodyBytesMax))).status).toBe(201);
    const answer = await post(sized(limits.bodyBytesMax + 1));
    expect([answer.status, answer.body.error.code]).toEqual([413, "body_too_large"]);
  });

  test("a body in chunks is held to the same limit", async () => {
    const body = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 3; index++) controller.enqueue(new TextEncoder().encode(" ".repeat(8_000)));
        controller.close();
      },
    });
    const headers = { authorization: `Bearer ${secretKey}`, "content-type": "application/json", "idempotency-key": "chunks" };
    const answer = await fetch(edge.url + path, { method: "POST", headers, body, duplex: "half" } as RequestInit);
    expect(answer.status).toBe(413);
  });

  test.each([
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["application/json; charset=latin1", 415],
    ["application/jsonx", 415],
    ["nonsense", 415],
    ["application/json", 201],
    ["application/json; charset=utf-8", 201],
    ['Application/JSON;charset="UTF-8"', 201],
  ])("the content type %j is %d", async (contentType, status) => {
    const answer = await post(good, { headers: { "content-type": contentType } });
    expect(answer.status).toBe(status);
    if (status === 415) expect(answer.body.error.code).toBe("invalid_content_type");
  });

  test.each(["gzip", "br", "GZIP", "nonsense"])("a body in %s is refused, not unpacked", async (encoding) => {
    const answer = await post(encoding === "gzip" ? gzipSync(good) : good, { headers: { "content-encoding": encoding } });
    expect([answer.status, answer.body.error.code]).toEqual([415, "invalid_content_type"]);
    expect(answer.body.error.message).toContain("Content-Encoding");
    expect(stage.script.received).toEqual([]);
  });

  test("the encoding identity is none", async () => {
    expect((await post(good, { headers: { "content-encoding": "identity" } })).status).toBe(201);
  });

  test("as much nesting as a body can hold is refused, and nothing breaks", async () => {
    const half = limits.bodyBytesMax / 2;
    expect((await post("[".repeat(half) + "]".repeat(half))).body.error).toMatchObject({ code: "invalid_json" });
    expect((await post("[".repeat(limits.bodyBytesMax))).body.error).toMatchObject({ code: "invalid_json" });
  });

  test.each([
    ["a value that is too long", { cart: "v".repeat(501) }, "metadata.cart"],
    ["a value that is no text", { ok: "1", cart: 7 }, "metadata.cart"],
    ["a value under a key with a dot and a slash", { "a.b/c~d": "\u0000" }, "metadata.a.b/c~d"],
    ["an empty key", { "": "v" }, "metadata"],
    ["a key that is too long", { ["k".repeat(41)]: "v" }, "metadata"],
    ["a pair too many", Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, "v"])), "metadata"],
  ])("in metadata, %s is named by its path", async (_, metadata, param) => {
    const answer = await post({ ...authorizeBody, metadata });
    expect([answer.status, answer.body.error.code, answer.body.error.param]).toEqual([400, "parameter_invalid", param]);
  });

  test("names of Object.prototype are ordinary keys of metadata", async () => {
    const metadata = { constructor: "a", toString: "b", hasOwnProperty: "c", prototype: "d" };
    expect((await post({ ...authorizeBody, metadata })).status).toBe(201);
    expect(stage.script.received[0]?.request["metadata"]).toEqual(metadata);
  });

  test("a body where none is wanted is looked at all the same", async () => {
    const answer = await post({ amount: 1 }, { path: `/v1/payments/${id}/void` });
    expect([answer.status, answer.body.error.code]).toEqual([400, "parameter_unknown"]);
    expect((await post({ amount: 100 }, { path: `/v1/payments/${id}/refund` })).body.error).toMatchObject({
      code: "parameter_missing",
      param: "reason",
    });
  });
});

describe("queries", () => {
  test.each([
    ["limit=0", "limit"],
    ["limit=101", "limit"],
    ["limit=1e1", "limit"],
    ["limit=-1", "limit"],
    ["limit=", "limit"],
    ["limit=1&limit=2", "limit"],
    ["status=paid", "status"],
    ["created_from=yesterday", "created_from"],
    ["created_to=2026-02-30T00:00:00Z", "created_to"],
    [`cursor=${"c".repeat(limits.cursorLengthMax + 1)}`, "cursor"],
    ["cursor=%00", "cursor"],
    [`merchant_reference=${"r".repeat(256)}`, "merchant_reference"],
    ["reference=x", "reference"],
    ["__proto__=x", "__proto__"],
    ["created_from=2026-11-21", "created_from"],
    ["created_from=1795219200", "created_from"],
    ["created_from=2026-11-21T00:00:00", "created_from"],
    // The plus sign of a query is a space.
    ["created_from=2026-11-21T00:00:00+01:00", "created_from"],
    ["merchant_reference=", "merchant_reference"],
    ["merchant_reference=a%00b", "merchant_reference"],
  ])("%s is refused", async (query, param) => {
    const answer = await call(edge, "GET", `/v1/payments?${query}`, { secretKey });
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
    expect(answer.body.error.code).toMatch(/^parameter_/);
    expect(stage.script.received).toEqual([]);
  });

  test.each(["limit=1", "limit=100", `cursor=${"c".repeat(limits.cursorLengthMax)}`])("%s is taken", async (query) => {
    expect((await call(edge, "GET", `/v1/payments?${query}`, { secretKey })).status).toBe(200);
  });

  test("what is wrong with a time is said so that it can be mended", async () => {
    for (const time of ["2026-11-21", "2026-11-21T00:00:00+01:00", "2026-02-30T00:00:00Z"]) {
      const { body } = await call(edge, "GET", `/v1/payments?created_to=${time}`, { secretKey });
      expect(body.error.message).toBe('created_to must be an RFC 3339 time, for example 2026-11-21T00:00:00Z (in a URL, write "+" as %2B)');
    }
  });

  test("small letters are RFC 3339 too", async () => {
    expect((await call(edge, "GET", "/v1/payments?created_to=2026-11-21t01:00:00%2B01:00", { secretKey })).status).toBe(200);
    expect(stage.script.received[0]?.request["createdToMs"]).toBe(BigInt(Date.parse("2026-11-21T00:00:00Z")));
  });

  test.each(["%ff", "%ED%A0%80", "%", "%zz", "a%C3"])(
    "the query text %s is no UTF-8 and is not searched for as it stands",
    async (text) => {
      const answer = await call(edge, "GET", `/v1/payments?merchant_reference=${text}`, { secretKey });
      expect([answer.status, answer.body.error.code]).toEqual([400, "parameter_invalid"]);
      expect(stage.script.received).toEqual([]);
    },
  );

  test("a query where none is known is refused", async () => {
    const answer = await call(edge, "POST", `${path}?amount=1`, { secretKey, body: authorizeBody });
    expect(answer.body.error).toMatchObject({ code: "parameter_unknown", param: "amount" });
  });

  test("the timeline's page has the same bound", async () => {
    const status = async (query: string) => (await call(edge, "GET", `/v1/payments/${id}/events?${query}`, { secretKey })).status;
    expect([await status("limit=101"), await status("after_sequence=4294967296"), await status("limit=100")]).toEqual([400, 400, 404]);
  });
});

describe("paths and methods", () => {
  test.each(["/", "/v1", "/v1/payment", "/v2/payments", `/v1/payments/${id}/pay`, "/v1/payments/%zz", "//v1/payments"])(
    "%s is no path",
    async (unknown) => {
      const answer = await call(edge, "GET", unknown, { secretKey });
      expect([answer.status, answer.body.error.code, answer.body.error.type]).toEqual([404, "route_unknown", "not_found"]);
    },
  );

  test.each([
    "/v1/payments/",
    "/v1/payments/authorize/",
    `/v1/payments/${id}/`,
    `/v1/payments/${id}/events/`,
    `/v1/payments/${id}/capture/`,
    "/v1/payments//events",
    "/openapi.json/",
  ])("a slash too many makes %s another path: there is none", async (path) => {
    for (const method of ["GET", "POST"]) {
      const answer = await call(edge, method, path, { secretKey, ...(method === "POST" ? { body: authorizeBody } : {}) });
      expect([answer.status, answer.body.error.code]).toEqual([404, "route_unknown"]);
    }
    expect(stage.script.received).toEqual([]);
  });

  test("HEAD is 405 without a body", async () => {
    for (const path of ["/v1/payments", `/v1/payments/${id}`, "/openapi.json"]) {
      const answer = await fetch(edge.url + path, { method: "HEAD" });
      expect([answer.status, answer.headers.get("allow"), await answer.text()]).toEqual([405, expect.stringContaining("GET"), ""]);
    }
  });

  test.each([
    ["GET", "/v1/payments/authorize", "POST"],
    ["PUT", "/v1/payments/authorize", "POST"],
    ["DELETE", "/v1/payments", "POST, GET"],
    ["PUT", `/v1/payments/${id}`, "GET"],
    ["GET", `/v1/payments/${id}/capture`, "POST"],
    ["PATCH", "/openapi.json", "GET"],
    ["OPTIONS", `/v1/payments/${id}/events`, "GET"],
  ])("%s %s is 405", async (method, known, allow) => {
    const answer = await call(edge, method, known, { secretKey });
    expect([answer.status, answer.body.error.code, answer.headers.get("allow")]).toEqual([405, "method_not_allowed", allow]);
  });

  test("a body for an unknown path is not read", async () => {
    const answer = await post("{{{", { path: "/v1/nothing" });
    expect(answer.status).toBe(404);
  });
});

/** Sends bytes as they are and reads until the connection closes. */
function raw(text: string, port = edge.port): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(text, "latin1"));
    socket.setTimeout(5_000, () => socket.destroy(new Error(`no end of: ${answer}`)));
    socket.on("data", (chunk) => {
      answer += chunk.toString();
    });
    socket.on("close", () => resolve(answer)).on("error", reject);
  });
}

describe("what is hardly HTTP", () => {
  const ofRaw = (answer: string) => JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)).error;

  test("headers up to the limit pass, larger ones are 431", async () => {
    const get = (size: number) => `GET /openapi.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: ${"h".repeat(size)}\r\n\r\n`;
    expect(await raw(get(limits.headerBytesMax - 200))).toMatch(/^HTTP\/1.1 200/);
    const answer = await raw(get(limits.headerBytesMax));
    expect(answer).toMatch(/^HTTP\/1.1 431 Request Header Fields Too Large\r\n/);
    expect(ofRaw(answer)).toMatchObject({ type: "invalid_request", code: "header_too_large" });
    expect(ofRaw(answer).request_id).toMatch(/^req_/);
  });

  test.each([
    "nonsense\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`,
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello`,
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: +5\r\n\r\nhello`,
    `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n`,
    `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n`,
    `POST ${path} HTTP/1.1\nhost: x\n\n`,
    "GET /openapi.json HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n",
    "GET /openapi.json HTTP/1.1\r\nhost: x\r\nx: a\r\n folded\r\n\r\n",
    "GET /openapi.json HTTP/1.1\r\nhost: x\r\nx: a\rb\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "FETCH /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET /openapi.json HTTP/1.1\r\nconnection: close\r\n\r\n",
    "GET /openapi.json HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\n\r\n",
  ])("%j is 400 in the same body", async (text) => {
    const answer = await raw(text);
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
    expect(ofRaw(answer).code).toBe("parameter_invalid");
  });

  const head = (more: string) =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secretKey}\r\ncontent-type: application/json\r\n${more}\r\n`;

  test("a second request inside the first one's body is only text", async () => {
    const inner = `${head("idempotency-key: inner\r\ncontent-length: 2\r\n")}{}`;
    const answer = await raw(`${head(`idempotency-key: outer\r\nconnection: close\r\ncontent-length: ${inner.length}\r\n`)}${inner}`);
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(ofRaw(answer).code).toBe("invalid_json");
    expect(stage.script.received).toEqual([]);
  });

  test.each([
    ["idempotency-key: a\r\nidempotency-key: b\r\n", 400, "idempotency_key_invalid"],
    ["idempotency-key: a\r\nIdempotency-Key: a\r\n", 400, "idempotency_key_invalid"],
    ["idempotency-key: a\r\nauthorization: Bearer sk_test_other\r\n", 401, "api_key_invalid"],
    ["idempotency-key: a\r\ncontent-type: text/plain\r\n", 415, "invalid_content_type"],
  ])("a header sent twice (%j) is not read as its first or its last", async (twice, status, code) => {
    const answer = await raw(`${head(`${twice}connection: close\r\ncontent-length: ${good.length}\r\n`)}${good}`);
    expect([Number(answer.slice(9, 12)), ofRaw(answer).code]).toEqual([status, code]);
    expect(stage.script.received).toEqual([]);
  });

  test("one key with a comma in it is one key", async () => {
    const answer = await raw(`${head(`idempotency-key: a, b\r\nconnection: close\r\ncontent-length: ${good.length}\r\n`)}${good}`);
    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(stage.script.received[0]?.request["idempotencyKey"]).toBe("a, b");
  });

  test.each([
    ["its head", "POST /v1/payments HTTP/1.1\r\nhost: x\r\nx: "],
    ["its body", "BODY"],
    ["anything", ""],
  ])("a client that does not send on %s is not waited for", async (_, text) => {
    const hasty = await stage.startEdge({ patience: { headersTimeoutMs: 200, requestTimeoutMs: 300, checkEveryMs: 50 } });
    const begun = text === "BODY" ? `${head(`idempotency-key: slow\r\ncontent-length: ${good.length}\r\n`)}{` : text;
    const answer = await raw(begun, hasty.port);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(ofRaw(answer).message).toBe("the request was not received in time");
    await hasty.stop();
  });

  test("a merchant that hangs up in the middle of its body harms nobody", async () => {
    const refusals = async (status: string) =>
      Number(
        new RegExp(`edge_requests_total\\{[^}]*"authorizeNewPayment"[^}]*"${status}"[^}]*\\} (\\d+)`).exec(await edge.scrape())?.[1] ?? 0,
      );
    const before = await refusals("4xx");
    const socket = connect({ host: "127.0.0.1", port: edge.port });
    socket.write(`${head(`idempotency-key: gone\r\ncontent-length: ${good.length}\r\n`)}${good.slice(0, 10)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    // A request of theirs that broke off, not a fault of ours.
    await expect.poll(() => refusals("4xx")).toBe(before + 1);
    expect(await refusals("5xx")).toBe(0);
    expect((await post(good)).status).toBe(201);
    expect(stage.script.received.map(({ request }) => request["idempotencyKey"])).not.toContain("gone");
  });
});

describe("what is not HTTP, behind a payment that is being made", () => {
  const slowMs = 1_200;
  let hasty: Edge;
  beforeAll(async () => {
    hasty = await stage.startEdge({ patience: { requestTimeoutMs: 600, headersTimeoutMs: 500, checkEveryMs: 100 } });
  });

  /** All that comes until the connection ends. */
  const answersTo = (text: string) =>
    new Promise<string>((resolve) => {
      let heard = "";
      const socket = connect(hasty.port, "127.0.0.1");
      socket.on("data", (chunk) => {
        heard += chunk.toString("latin1");
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(heard));
      socket.write(text, "latin1");
      setTimeout(() => socket.destroy(), 8_000).unref();
    });
  const payment = (key: string) =>
    `POST ${path} HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer ${secretKey}\r\nidempotency-key: ${key}\r\n` +
    `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(good)}\r\n\r\n${good}`;
  const statusesIn = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);

  test.each([
    ["a NUL", ["201"], (key: string) => `${payment(key)}\0`],
    ["a brace too many", ["201"], (key: string) => `${payment(key)}}`],
    ["half of a head that never ends", ["201"], (key: string) => `${payment(key)}GET /v1/payments HTTP/1.1\r\nhost: edge\r\n`],
    ["a NUL behind two of them", ["201", "201"], (key: string) => `${payment(key)}${payment(`${key}-2`)}\0`],
  ])(
    "%s: the payment has its own answer, and then the connection ends",
    async (name, statuses, make) => {
      stage.script.operation = async () => {
        await new Promise((resolve) => setTimeout(resolve, slowMs));
        return done();
      };
      expect(statusesIn(await answersTo(make(`behind-${name.length}`)))).toEqual(statuses);
      expect(stage.script.received.length).toBe(statuses.length);
    },
    20_000,
  );

  test("alone on its connection it is answered at once", async () => {
    expect(statusesIn(await answersTo("\0"))).toEqual(["400"]);
  });
});
