/** `POST /v1/tokens` on the vault's own origin. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { revokePublishableKey } from "../src/provision.ts";
import { cardBody, newId, openStage, pepper, postToken, type Stage, startVault, type VaultProcess } from "./stage.ts";

const number = "5200828282828210";
/** A right check digit, and no known test card. */
const otherNumber = "4000000000001000";
let stage: Stage;
let vault: VaultProcess;
let key: string;
let liveKey: string;

beforeAll(async () => {
  stage = await openStage();
  vault = await startVault(stage);
  const merchantId = newId("merchant");
  key = await stage.key(merchantId);
  liveKey = await stage.key(merchantId, "live");
});

afterAll(async () => {
  await vault?.stop();
  await stage?.close();
});

describe("a card", () => {
  test("becomes a token, and the answer tells what may be told", async () => {
    const before = Date.now();
    const { status, body, headers, text } = await postToken(vault, key, {
      card: { number, exp_month: 12, exp_year: 2035, cvc: "917", name: "Ada Lovelace" },
      billing: { postal_code: "1010", address_line1: "Main Street 1" },
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^tok_[0-9a-z]{26}$/),
      type: "card",
      card: { brand: "mastercard", bin: "52008282", last4: "8210", exp_month: 12, exp_year: 2035, funding: "debit" },
      usage: "reusable",
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      expires_at: "2036-06-29T12:00:00.000Z",
      livemode: false,
    });
    expect(Date.parse(String(body["created_at"]))).toBeGreaterThanOrEqual(before);
    expect(headers.get("request-id")).toMatch(/^req_/);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(text).not.toContain(number);
    expect(text).not.toContain("917");
  });

  test("gets another token each time", async () => {
    const tokens = await Promise.all(Array.from({ length: 40 }, () => postToken(vault, key, cardBody(number))));
    expect(new Set(tokens.map(({ body }) => body["id"])).size).toBe(40);
  });

  test("of a real number is refused in test mode and taken in live mode", async () => {
    const refused = await postToken(vault, key, cardBody(otherNumber));
    expect([refused.status, refused.body]).toMatchObject([
      400,
      { error: { type: "card_error", code: "live_card_in_test_mode", param: "card.number" } },
    ]);
    expect(refused.text).not.toContain("1000");
    const taken = await postToken(vault, liveKey, cardBody(otherNumber));
    expect([taken.status, taken.body]).toMatchObject([201, { livemode: true, card: { brand: "visa", last4: "1000", funding: "unknown" } }]);
  });
});

describe("any page", () => {
  test("may ask and read the answer", async () => {
    const preflight = await fetch(`${vault.url}/v1/tokens`, {
      method: "OPTIONS",
      headers: {
        origin: "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
    expect(preflight.headers.get("access-control-allow-methods")).toBe("POST");
    expect(preflight.headers.get("access-control-allow-headers")).toBe("authorization, content-type");
    expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
    const answers = [await postToken(vault, key, cardBody(number)), await postToken(vault, undefined, cardBody(number))];
    for (const { headers } of answers) {
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-expose-headers")).toContain("request-id");
    }
  });

  test("may ask for nothing else", async () => {
    const elsewhere = await fetch(`${vault.url}/v1/cards`, { method: "OPTIONS", headers: { origin: "https://shop.example" } });
    expect([elsewhere.status, elsewhere.headers.get("access-control-allow-origin")]).toEqual([404, null]);
  });
});

describe("refused, with the error body and without an echo", () => {
  const cases: [string, number, Record<string, unknown>, () => Promise<{ status: number; body: unknown; text: string }>][] = [
    ["no key", 401, { type: "authentication", code: "api_key_missing" }, () => postToken(vault, undefined, cardBody(number))],
    ["an unknown key", 401, { code: "api_key_invalid" }, () => postToken(vault, `pk_test_${"0".repeat(26)}`, cardBody(number))],
    [
      "a secret key",
      401,
      { code: "api_key_invalid", message: expect.stringContaining("this is a secret key") },
      () => postToken(vault, `sk_test_${"0".repeat(16)}_${"x".repeat(32)}`, cardBody(number)),
    ],
    ["a test key spelled as live", 401, { code: "api_key_invalid" }, () => postToken(vault, key.replace("test", "live"), cardBody(number))],
    [
      "another content type",
      415,
      { code: "invalid_content_type" },
      () => postToken(vault, key, cardBody(number), { "content-type": "text/plain" }),
    ],
    [
      "a form",
      415,
      { code: "invalid_content_type" },
      () => postToken(vault, key, `number=${number}`, { "content-type": "application/x-www-form-urlencoded" }),
    ],
    [
      "another charset",
      415,
      { code: "invalid_content_type" },
      () => postToken(vault, key, cardBody(number), { "content-type": "application/json; charset=latin1" }),
    ],
    ["broken JSON", 400, { code: "invalid_json" }, () => postToken(vault, key, `{"card":{"number":"${number}"`)],
    [
      "an unknown field",
      400,
      { code: "parameter_unknown", param: "card" },
      () => postToken(vault, key, cardBody(number, { [number]: number })),
    ],
    [
      "a wrong check digit",
      400,
      { type: "card_error", code: "card_number_invalid", param: "card.number" },
      () => postToken(vault, key, cardBody("4242424242424241")),
    ],
    ["letters", 400, { code: "card_number_invalid" }, () => postToken(vault, key, cardBody("4242424242424242x"))],
    [
      "a past expiry",
      400,
      { code: "card_expiry_invalid", param: "card.exp_year" },
      () => postToken(vault, key, cardBody(number, { exp_year: 2020 })),
    ],
    [
      "a thirteenth month",
      400,
      { code: "card_expiry_invalid", param: "card.exp_month" },
      () => postToken(vault, key, cardBody(number, { exp_month: 13 })),
    ],
    [
      "a code of the wrong length",
      400,
      { code: "card_cvc_invalid", param: "card.cvc" },
      () => postToken(vault, key, cardBody(number, { cvc: "1234" })),
    ],
    [
      "a missing month",
      400,
      { code: "parameter_missing", param: "card.exp_month" },
      () => postToken(vault, key, { card: { number, exp_year: 2035 } }),
    ],
    ["a large body", 413, { code: "body_too_large" }, () => postToken(vault, key, cardBody(number, { name: "x".repeat(5_000) }))],
  ];
  test.each(cases)("%s", async (_what, status, error, ask) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({
      error: expect.objectContaining({ message: expect.any(String), ...error, request_id: expect.stringMatching(/^req_/) }),
    });
    expect(answer.text).not.toMatch(/5200|4242|pk_test_0|sk_test/);
  });

  test("other paths and methods", async () => {
    const path = await fetch(`${vault.url}/v1/cards`, { method: "POST" });
    expect([path.status, await path.json()]).toMatchObject([404, { error: { code: "route_unknown" } }]);
    const method = await fetch(`${vault.url}/v1/tokens`);
    expect([method.status, method.headers.get("allow"), await method.json()]).toMatchObject([
      405,
      "POST, OPTIONS",
      { error: { code: "method_not_allowed" } },
    ]);
    const broken = await fetch(`${vault.url}/%`);
    expect([broken.status, await broken.json()]).toMatchObject([404, { error: { code: "route_unknown" } }]);
  });

  test("a body in pieces that turns out too large", async () => {
    const pieces = new ReadableStream({
      async pull(controller) {
        controller.enqueue(new TextEncoder().encode("x".repeat(1_000)));
        await new Promise((resolve) => setTimeout(resolve, 5));
      },
    });
    const answer = await fetch(`${vault.url}/v1/tokens`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: pieces,
      duplex: "half",
    } as RequestInit).then(
      (response) => response.status,
      () => "closed",
    );
    expect([413, "closed"]).toContain(answer);
  });
});

test("a revoked key is refused as soon as its time in the cache is over", async () => {
  const revoked = await stage.key(newId("merchant"));
  expect((await postToken(vault, revoked, cardBody(number))).status).toBe(201);
  await revokePublishableKey({ ownerUrl: stage.ownerUrl, pepper, publishableKey: revoked });
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect((await postToken(vault, revoked, cardBody(number))).status).toBe(401);
});

test("no word of a key stands in the database", async () => {
  const rows = await stage.sql`SELECT k::text AS row FROM publishable_keys k`;
  expect(rows.length).toBeGreaterThan(0);
  for (const { row } of rows) expect(row).not.toContain(key.slice(8));
});
