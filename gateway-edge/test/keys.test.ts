/** API keys on real PostgreSQL: proving, revoking, the two worlds, tenancy, limits, and a database that is away. */
import { loadConfig } from "@florin/runtime/config";
import { connectPostgres } from "@florin/runtime/postgres";
import { portOfNobody, untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { edgeConfig } from "../src/config.ts";
import { migrate } from "../src/migrate.ts";
import { revokeApiKey } from "../src/provision.ts";
import { authorizedPayment } from "../src/rest/payment-samples.ts";
import { authorizeBody, call, type Edge, openStage, type Stage } from "./stage.ts";

let stage: Stage;
let edge: Edge;
let own: { merchantId: string; secretKey: string };
const id = authorizedPayment().id;
const authorize = (secretKey: string | undefined, at: Pick<Edge, "url"> = edge) =>
  call(at, "POST", "/v1/payments/authorize", { secretKey, body: authorizeBody });

beforeAll(async () => {
  stage = await openStage();
  edge = await stage.startEdge();
  own = await stage.newKey();
});
afterAll(() => stage?.stop());
beforeEach(() => stage.script.reset());

describe("keys", () => {
  test("without a key, and with one of the wrong kind, nobody gets in", async () => {
    const missing = await authorize(undefined);
    expect([missing.status, missing.body.error.code, missing.headers.get("www-authenticate")]).toEqual([401, "api_key_missing", "Bearer"]);
    const { secretKey } = own;
    const flipped = secretKey.slice(0, -1) + (secretKey.endsWith("0") ? "1" : "0");
    const otherWorld = secretKey.replace("sk_test_", "sk_live_");
    const neverMade = `sk_test_${"0".repeat(16)}_${"0".repeat(32)}`;
    const answers = await Promise.all(
      [flipped, otherWorld, neverMade, "sk_test_x", `pk_test_${"0".repeat(26)}`].map((key) => authorize(key)),
    );
    for (const answer of answers) expect([answer.status, answer.body.error.code]).toEqual([401, "api_key_invalid"]);
    // Nobody learns why.
    expect(new Set(answers.map((answer) => answer.body.error.message)).size).toBe(1);
    expect((await authorize(secretKey)).status).toBe(201);
    expect((await authorize(flipped)).status).toBe(401);
    expect(stage.script.received).toHaveLength(1);
  });

  test("the key comes before the body: who may not ask is not told what is wrong with the question", async () => {
    expect((await call(edge, "POST", "/v1/payments/authorize", { body: "{{{", secretKey: "x" })).status).toBe(401);
  });

  test("test and live keys are told apart all the way to the switch", async () => {
    const live = await stage.newKey("live");
    await authorize(own.secretKey);
    await authorize(live.secretKey);
    expect(stage.script.received.map(({ request }) => request["caller"])).toMatchObject([
      { merchantId: own.merchantId, mode: 1 },
      { merchantId: live.merchantId, mode: 2, actor: `key:${live.secretKey.slice(8, 24)}` },
    ]);
  });

  test("a revoked key works no longer than the cache remembers it", async () => {
    const quick = await stage.startEdge({ foundTtlMs: 50 });
    const doomed = await stage.newKey();
    expect((await authorize(doomed.secretKey, quick)).status).toBe(201);
    await revokeApiKey({ ownerUrl: stage.ownerUrl, keyId: doomed.secretKey.slice(8, 24) });
    await untilTrue(async () => (await authorize(doomed.secretKey, quick)).status === 401, 5_000);
    await quick.stop();
  });

  test("an unknown key is not looked up again and again", async () => {
    const unknown = `sk_test_${"1".repeat(16)}_${"0".repeat(32)}`;
    const before = await lookups("unknown");
    for (let index = 0; index < 5; index++) expect((await authorize(unknown)).status).toBe(401);
    expect((await lookups("unknown")) - before).toBe(1);
  });

  test("200 requests at once with a key that is not in the cache share one lookup", async () => {
    const { secretKey } = await stage.newKey();
    const before = await lookups("database");
    const answers = await Promise.all(Array.from({ length: 200 }, () => authorize(secretKey)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([201]));
    expect((await lookups("database")) - before).toBe(1);
  });

  test("300 requests at once with one good key are not taken for guesses, by the limits that a new installation has", async () => {
    const { failuresBurst, failuresPerMinute } = loadConfig(edgeConfig, {
      FLORIN_TLS_DIR: "x",
      FLORIN_DATABASE_URL: "postgres://x",
      FLORIN_SWITCH_ADDRESS: "x",
      FLORIN_API_KEY_PEPPER: "0".repeat(64),
    });
    expect(failuresBurst).toBeLessThan(300);
    const fresh = await stage.startEdge({ failureRate: { burst: failuresBurst, perSecond: failuresPerMinute / 60 }, foundTtlMs: 20 });
    // Twice, because an entry of the cache that has grown old is proven again.
    for (const round of [1, 2]) {
      const answers = await Promise.all(Array.from({ length: 300 }, () => authorize(own.secretKey, fresh)));
      expect([round, new Set(answers.map(({ status }) => status))]).toEqual([round, new Set([201])]);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await fresh.stop();
  });

  test("a database that is away: a proven key works on, an unproven one is 503 and not 401", async () => {
    const nowhere = new URL(stage.appUrl);
    nowhere.port = String(portOfNobody);
    const blind = await stage.startEdge({ databaseUrl: nowhere.toString() });
    const unproven = await authorize(own.secretKey, blind);
    expect([unproven.status, unproven.body.error.code, unproven.headers.get("retry-after")]).toEqual([503, "unavailable", "1"]);
    await blind.stop();

    const superuser = connectPostgres({ url: stage.ownerUrl, name: "test", connectionsMax: 1 });
    const lately = await stage.startEdge({ foundTtlMs: 0 });
    expect((await authorize(own.secretKey, lately)).status).toBe(201);
    await superuser`ALTER TABLE api_keys RENAME TO api_keys_gone`;
    expect((await authorize(own.secretKey, lately)).status).toBe(201);
    await superuser`ALTER TABLE api_keys_gone RENAME TO api_keys`;
    await superuser.end();
    await lately.stop();
  });

  test("the database holds no key, and the process may only read keys", async () => {
    const owner = connectPostgres({ url: stage.ownerUrl, name: "test", connectionsMax: 1 });
    const rows = JSON.stringify(await owner`SELECT *, encode(key_hash, 'escape') AS escaped FROM api_keys`);
    expect(rows).not.toContain(own.secretKey.slice(25));
    await owner.end();
    const app = connectPostgres({ url: stage.appUrl, name: "test", connectionsMax: 1 });
    await expect(app`SELECT name FROM merchants`).rejects.toThrow("permission denied");
    await expect(app`UPDATE api_keys SET revoked_at = NULL`).rejects.toThrow("permission denied");
    await expect(app`INSERT INTO api_keys (key_id) VALUES ('x')`).rejects.toThrow("permission denied");
    await expect(app`DELETE FROM api_keys`).rejects.toThrow("permission denied");
    await app.end();
  });

  test("migrations may run again and at once", async () => {
    await Promise.all([migrate(stage.ownerUrl), migrate(stage.ownerUrl)]);
  });
});

describe("tenancy", () => {
  const withoutRequestId = (text: string) => text.replaceAll(/req_[0-9a-z]{26}/g, "req");

  test("another merchant's payment, an unknown one and a malformed id get the same bytes, on every operation", async () => {
    // The switch says of a foreign payment what it says of an unknown one, in whatever words.
    const { done } = await import("./stage.ts");
    stage.script.operation = () =>
      done({ payment: undefined, refusal: { code: "payment_not_found", message: "no such payment here", param: "payment_id" } });
    const ids = [id, "pay_7zzzzzzzzzzzzzzzzzzzzzzzzz", "pay_1", "x", "..", "a%2Fb", "%00", "x".repeat(2_000), id.toUpperCase(), `${id}0`];
    const operations = [
      ["GET", "", undefined],
      ["GET", "/events", undefined],
      ["POST", "/authorize", { payment_method: authorizeBody.payment_method }],
      ["POST", "/capture", { amount: 1 }],
      ["POST", "/void", {}],
      ["POST", "/refund", { reason: "x" }],
    ] as const;
    const texts = new Set<string>();
    for (const [method, suffix, body] of operations) {
      for (const one of ids) {
        if (one === "..") continue;
        const answer = await call(edge, method, `/v1/payments/${one}${suffix}`, { secretKey: own.secretKey, body });
        expect([method, suffix, one, answer.status]).toEqual([method, suffix, one, 404]);
        texts.add(withoutRequestId(answer.text));
      }
    }
    expect([...texts]).toEqual([
      '{"error":{"type":"not_found","code":"payment_not_found","message":"There is no such payment for this key.","request_id":"req"}}',
    ]);
  });

  test("the switch is asked in the name of the key's merchant, whatever the request says", async () => {
    const other = await stage.newKey();
    stage.script.payment = (_id, merchantId) => (merchantId === own.merchantId ? authorizedPayment() : undefined);
    const statusFor = async (secretKey: string) => (await call(edge, "GET", `/v1/payments/${id}`, { secretKey })).status;
    expect([await statusFor(own.secretKey), await statusFor(other.secretKey)]).toEqual([200, 404]);
  });
});

describe("how often", () => {
  test("a key that asks too often is 429 with when to come back, another key is not touched", async () => {
    const strict = await stage.startEdge({ rate: { burst: 3, perSecond: 2 } });
    const [hasty, calm] = [await stage.newKey(), await stage.newKey()];
    const statuses: number[] = [];
    for (let index = 0; index < 4; index++) statuses.push((await authorize(hasty.secretKey, strict)).status);
    expect(statuses).toEqual([201, 201, 201, 429]);
    const refused = await authorize(hasty.secretKey, strict);
    expect([refused.body.error.code, refused.body.error.type, refused.headers.get("retry-after")]).toEqual([
      "rate_limited",
      "rate_limit",
      "1",
    ]);
    expect((await authorize(calm.secretKey, strict)).status).toBe(201);
    // A path that has to be taken apart is judged later, by the same bucket.
    expect(
      (await call(strict, "POST", `/v1/payments/${authorizedPayment().id}/capture`, { secretKey: hasty.secretKey, body: {} })).status,
    ).toBe(429);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await authorize(hasty.secretKey, strict)).status).toBe(201);
    expect(await strict.scrape()).toMatch(/edge_rate_limited_total(\{[^}]*\})? 3/);
    await strict.stop();
  });

  /** Twice what is promised, ms: the machine of a test is busy. */
  const appliedWithinMs = 4_000;

  test("is what the house says, key by key and merchant by merchant, while the edge runs and while the switch is away", async () => {
    const edge = await stage.startEdge({ rate: { burst: 2, perSecond: 0.001 } });
    const [named, other] = [await stage.newKey(), await stage.newKey()];
    const statusesOf = async (secretKey: string, calls: number) => {
      const statuses: number[] = [];
      for (let index = 0; index < calls; index++) statuses.push((await authorize(secretKey, edge)).status);
      return statuses;
    };
    const apply = async (version: number, rates: Readonly<Record<string, number>>) => {
      const requestsPerKey = Object.entries(rates).map(([merchantId, burst]) => ({ merchantId, perSecond: 1_000_000, burst }));
      stage.script.limits = { version, limits: { requestsPerKey } };
      await untilTrue(async () => new RegExp(`^edge_settings_version\\S* ${version}$`, "m").test(await edge.scrape()), appliedWithinMs);
    };
    try {
      expect(await statusesOf(named.secretKey, 3)).toEqual([201, 201, 429]);
      expect(await statusesOf(other.secretKey, 3)).toEqual([201, 201, 429]);
      await apply(7, { [named.merchantId]: 1_000 });
      expect(await statusesOf(named.secretKey, 3)).toEqual([201, 201, 201]);
      expect(await statusesOf(other.secretKey, 1)).toEqual([429]);
      await apply(8, { default: 1_000 });
      expect(await statusesOf(other.secretKey, 3)).toEqual([201, 201, 201]);
      // A replica that is behind does not take it back.
      stage.script.limits = { version: 7, limits: { requestsPerKey: [] } };
      await stage.stopSwitch();
      expect(await statusesOf(other.secretKey, 3)).toEqual([503, 503, 503]);
      await stage.startSwitch();
      await untilTrue(async () => (await authorize(other.secretKey, edge)).status === 201, 10_000);
      expect(await statusesOf(other.secretKey, 3)).toEqual([201, 201, 201]);
    } finally {
      stage.script.limits = {};
      await edge.stop();
    }
  });

  test("an address that guesses keys is slowed down, and a proven key from there is not", async () => {
    const strict = await stage.startEdge({ failureRate: { burst: 3, perSecond: 0.5 } });
    expect((await authorize(own.secretKey, strict)).status).toBe(201);
    const guess = (index: number) => `sk_test_${String(index).padStart(16, "0")}_${"0".repeat(32)}`;
    const statuses: number[] = [];
    for (let index = 0; index < 5; index++) statuses.push((await authorize(guess(index), strict)).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await authorize(guess(0), strict)).headers.get("retry-after")).toBe("2");
    expect((await authorize(undefined, strict)).status).toBe(429);
    expect((await authorize(own.secretKey, strict)).status).toBe(201);
    await strict.stop();
  });
});

async function lookups(result: string): Promise<number> {
  const match = new RegExp(`edge_api_key_lookups_total\\{[^}]*result="${result}"[^}]*\\} (\\d+)`).exec(await edge.scrape());
  return Number(match?.[1] ?? 0);
}
