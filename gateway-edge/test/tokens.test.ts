/** A merchant's tokens through real HTTP, against a scripted switch: what is told of one, its deletion, and that nobody learns of another's. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { call, type Edge, openStage, type Stage } from "./stage.ts";

const token = `tok_${"0".repeat(25)}7`;
const card = { brand: "visa", bin: "42424242", last4: "4242", expMonth: 12, expYear: 2035, funding: "credit" };
const stored = {
  id: token,
  card,
  fingerprint: "0f".repeat(16),
  usage: "single_use",
  usedByPaymentId: `pay_${"0".repeat(26)}`,
  createdAtMs: BigInt(Date.parse("2026-11-21T10:00:00.250Z")),
  expiresAtMs: BigInt(Date.parse("2036-06-29T12:00:00Z")),
};

let stage: Stage;
let edge: Edge;
let secretKey: string;
let merchantId: string;

beforeAll(async () => {
  stage = await openStage();
  edge = await stage.startEdge();
  ({ secretKey, merchantId } = await stage.newKey());
});
afterAll(() => stage?.stop());
beforeEach(() => {
  stage.script.reset();
  stage.script.token = (id, merchant) => (id === token && merchant === merchantId ? { token: stored } : { refusal: "token_not_found" });
});

const get = (id: string, key = secretKey) => call(edge, "GET", `/v1/tokens/${id}`, { secretKey: key });
const remove = (id: string, key = secretKey) => call(edge, "DELETE", `/v1/tokens/${id}`, { secretKey: key });
const lastRequest = () => stage.script.received.at(-1);

describe("a token", () => {
  test("is told with what may be known of its card", async () => {
    const answer = await get(token);
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        id: token,
        type: "card",
        card: { brand: "visa", bin: "42424242", last4: "4242", exp_month: 12, exp_year: 2035, funding: "credit" },
        fingerprint: "0f".repeat(16),
        usage: "single_use",
        used_by: `pay_${"0".repeat(26)}`,
        created_at: "2026-11-21T10:00:00.250Z",
        expires_at: "2036-06-29T12:00:00.000Z",
        livemode: false,
      },
    ]);
    const requestId = answer.headers.get("request-id");
    const caller = { merchantId, mode: 1, actor: `key:${secretKey.slice(8, 24)}`, requestId };
    expect(lastRequest()).toMatchObject({ method: "getToken", context: { peer: "edge" }, request: { token, caller } });
  });

  test("that nobody has used, and one that is well known, have nulls", async () => {
    stage.script.token = () => ({ token: { ...stored, usedByPaymentId: "", createdAtMs: 0n } });
    expect((await get("tok_visa_4242")).body).toMatchObject({ used_by: null, created_at: null });
  });

  test("is deleted without an idempotency key, as often as it is asked for", async () => {
    for (let round = 0; round < 2; round++) {
      const answer = await remove(token);
      expect([answer.status, answer.body]).toEqual([200, { id: token, deleted: true }]);
      expect(lastRequest()).toMatchObject({ method: "deleteToken", request: { token, caller: { merchantId, mode: 1 } } });
      stage.script.token = () => ({ refusal: "token_deleted" });
    }
  });

  test.each([
    ["token_expired", 410],
    ["token_deleted", 410],
    ["token_not_found", 404],
    ["from_the_future", 404],
  ])("that is no more is told as %s", async (refusal, status) => {
    stage.script.token = () => ({ refusal });
    const answer = await get(token);
    expect([answer.status, answer.body.error]).toMatchObject([
      status,
      { type: "not_found", code: refusal === "from_the_future" ? "token_not_found" : refusal },
    ]);
  });

  test("of another merchant, one that never was, and what is no token are answered alike", async () => {
    const { secretKey: stranger } = await stage.newKey();
    const answers = [
      await get(token, stranger),
      await get(`tok_${"0".repeat(26)}`),
      await get("4242424242424242"),
      await get("tok_%27--"),
      await remove(token, stranger),
      await remove(`tok_${"0".repeat(26)}`),
      await remove("x".repeat(5_000)),
    ];
    const bodies = answers.map(({ status, text, headers }) => [status, text.replace(headers.get("request-id") ?? "", "req")]);
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
    expect(bodies[0]).toMatchObject([404, expect.stringContaining('"code":"token_not_found"')]);
    // What cannot be a token reaches nobody.
    expect(stage.script.received.filter(({ request }) => !/^tok_[0-9a-z_]+$/.test(String(request["token"])))).toEqual([]);
  });

  test("is no business of who has no key, and has no other methods", async () => {
    expect((await call(edge, "GET", `/v1/tokens/${token}`)).status).toBe(401);
    expect((await call(edge, "DELETE", `/v1/tokens/${token}`)).status).toBe(401);
    const post = await call(edge, "POST", `/v1/tokens/${token}`, { secretKey });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, DELETE"]);
    // Cards go to the vault, never here.
    expect((await call(edge, "POST", "/v1/tokens", { secretKey, body: { card: {} } })).status).toBe(404);
    expect(stage.script.received).toEqual([]);
  });
});
