/** What other processes may ask, over real gRPC with mTLS; what is left behind; what a restart keeps. */
import { VaultService } from "@florin/gen/vault/v1/vault";
import { connectUnary } from "@florin/runtime/rpc";
import { untilTrue } from "@florin/runtime/testing";
import { loadTls } from "@florin/runtime/tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wellKnownTokens } from "../src/domain/test-cards.ts";
import {
  cardBody,
  clientOf,
  logger,
  newId,
  openStage,
  postToken,
  type Stage,
  startVault,
  tokenOf,
  type VaultClient,
  type VaultProcess,
} from "./stage.ts";

/** Test numbers that only this file hands in, so that a find is a leak. The well-known list is code, not storage. */
const canaries = ["5200828282828210", "6011000990139424", "378282246310005"];
const canaryCode = "917";
const call = { timeoutMs: 5_000 };
const opening = (merchantId: string, token: string, purpose = "authorize") => ({ merchantId, token, purpose, paymentId: newId("payment") });
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

let stage: Stage;
let vault: VaultProcess;
let switchClient: VaultClient;
let connectors: VaultClient;
let merchantId: string;
let key: string;
let outputs = "";

async function connect(): Promise<void> {
  switchClient = await clientOf(stage, vault, "switch");
  connectors = await clientOf(stage, vault, "connectors");
}

async function disconnect(): Promise<void> {
  await switchClient?.close();
  await connectors?.close();
}

beforeAll(async () => {
  stage = await openStage();
  vault = await startVault(stage);
  merchantId = newId("merchant");
  key = await stage.key(merchantId);
  await connect();
});

afterAll(async () => {
  await disconnect();
  await vault?.stop();
  await stage?.close();
});

describe("the switch", () => {
  test("learns what a token is, and nothing more", async () => {
    const token = await tokenOf(vault, key, "5200828282828210");
    const { $typeName: _, ...answer } = await switchClient.describeToken({ merchantId, token, live: false }, call);
    expect(answer).toEqual({
      found: true,
      brand: "mastercard",
      bin: "52008282",
      last4: "8210",
      expMonth: 12,
      expYear: 2035,
      funding: "debit",
      fingerprint: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  test("sees that two tokens are one card, and cannot see it across merchants", async () => {
    const otherMerchant = newId("merchant");
    const otherKey = await stage.key(otherMerchant);
    const fingerprint = async (of: string, with_: string, number: string) => {
      const token = await tokenOf(vault, with_, number);
      return (await switchClient.describeToken({ merchantId: of, token, live: false }, call)).fingerprint;
    };
    const first = await fingerprint(merchantId, key, "4242424242424242");
    expect(await fingerprint(merchantId, key, "4242424242424242")).toBe(first);
    expect(await fingerprint(merchantId, key, "4000056655665556")).not.toBe(first);
    expect(await fingerprint(otherMerchant, otherKey, "4242424242424242")).not.toBe(first);
    expect((await switchClient.describeToken({ merchantId, token: "tok_visa_4242", live: false }, call)).fingerprint).toBe(first);
  });

  test("cannot open a card, neither in a frame nor in a call", async () => {
    const token = await tokenOf(vault, key, "4242424242424242");
    const refusal = expect.objectContaining({ code: "caller_not_allowed", work: "not_done" });
    await expect(switchClient.detokenize(opening(merchantId, token), call)).rejects.toEqual(refusal);
    const unary = connectUnary(VaultService, { address: vault.address, tls: loadTls(stage.certificates, "switch"), logger });
    await expect(unary.detokenize(opening(merchantId, token), call)).rejects.toEqual(refusal);
    expect((await unary.describeToken({ merchantId, token, live: false }, call)).found).toBe(true);
    await unary.close();
  });
});

test.each(["edge", "ledger", "client"])("%s may ask nothing", async (name) => {
  const client = await clientOf(stage, vault, name);
  await expect(client.describeToken({ merchantId, token: "tok_visa_4242", live: false }, call)).rejects.toMatchObject({
    code: "caller_not_allowed",
  });
  await expect(client.detokenize(opening(merchantId, "tok_visa_4242"), call)).rejects.toMatchObject({ code: "caller_not_allowed" });
  await client.close();
});

describe("connectors", () => {
  test("open a card with its billing address, and get its code once", async () => {
    const { body } = await postToken(vault, key, {
      ...cardBody("378282246310005", { cvc: "9170" }),
      billing: { postal_code: "1010", address_line1: "Straße 1" },
    });
    const token = String(body["id"]);
    const refund = await connectors.detokenize(opening(merchantId, token, "refund"), call);
    expect([text(refund.number), text(refund.securityCode)]).toEqual(["378282246310005", ""]);
    const first = await connectors.detokenize(opening(merchantId, token), call);
    expect({ ...first, number: text(first.number), securityCode: text(first.securityCode) }).toMatchObject({
      found: true,
      number: "378282246310005",
      expMonth: 12,
      expYear: 2035,
      securityCode: "9170",
      postalCode: "1010",
      addressLine1: "Straße 1",
    });
    const second = await connectors.detokenize(opening(merchantId, token), call);
    expect([text(second.number), text(second.securityCode)]).toEqual(["378282246310005", ""]);
  });

  test("two at once do not both get the code", async () => {
    const token = await tokenOf(vault, key, "5200828282828210", { cvc: canaryCode });
    const answers = await Promise.all(Array.from({ length: 20 }, () => connectors.detokenize(opening(merchantId, token), call)));
    expect(answers.filter(({ securityCode }) => securityCode.length > 0)).toHaveLength(1);
    expect(answers.filter(({ number }) => text(number) === "5200828282828210")).toHaveLength(20);
  });

  test("find nothing under another merchant, in another mode, or where nothing is", async () => {
    const token = await tokenOf(vault, key, "4242424242424242");
    const other = newId("merchant");
    expect(await connectors.detokenize(opening(other, token), call)).toMatchObject({ found: false, number: new Uint8Array() });
    expect((await connectors.describeToken({ merchantId: other, token, live: false }, call)).found).toBe(false);
    expect((await connectors.describeToken({ merchantId, token, live: true }, call)).found).toBe(false);
    for (const wrong of [
      `tok_${"0".repeat(26)}`,
      "tok_visa_1111",
      "",
      "x",
      "tok_'; --",
      "4242424242424242",
      `${token}0`,
      "x".repeat(10_000),
    ]) {
      expect((await connectors.detokenize(opening(merchantId, wrong), call)).found).toBe(false);
      expect((await connectors.describeToken({ merchantId, token: wrong, live: false }, call)).found).toBe(false);
    }
  });

  test("must say for whom, why and for which payment", async () => {
    const good = opening(merchantId, "tok_visa_4242");
    for (const [param, change] of [
      ["merchant_id", { merchantId: "mer_x" }],
      ["payment_id", { paymentId: "" }],
      ["purpose", { purpose: "" }],
      ["purpose", { purpose: "4242 4242 4242 4242" }],
    ] as const) {
      await expect(connectors.detokenize({ ...good, ...change }, call)).rejects.toMatchObject({
        code: "parameter_invalid",
        work: "not_done",
      });
      expect(param).not.toBe("");
    }
  });

  test("a live card is found in live mode only", async () => {
    const liveKey = await stage.key(merchantId, "live");
    const token = await tokenOf(vault, liveKey, "4000000000001000");
    expect((await switchClient.describeToken({ merchantId, token, live: true }, call)).found).toBe(true);
    expect((await switchClient.describeToken({ merchantId, token, live: false }, call)).found).toBe(false);
  });

  test("every well-known test token opens for any merchant, and none exists in live mode", async () => {
    const anyMerchant = newId("merchant");
    for (const [token, card] of wellKnownTokens) {
      const [opened, described, live] = await Promise.all([
        connectors.detokenize(opening(anyMerchant, token), call),
        switchClient.describeToken({ merchantId: anyMerchant, token, live: false }, call),
        switchClient.describeToken({ merchantId: anyMerchant, token, live: true }, call),
      ]);
      expect([token, text(opened.number), text(opened.securityCode)]).toEqual([token, card.number, card.brand === "amex" ? "1234" : "123"]);
      expect([described.found, described.brand, described.last4, live.found]).toEqual([true, card.brand, card.number.slice(-4), false]);
    }
  });
});

describe("the access log", () => {
  const rowsOf = (paymentId: string) => stage.sql<Record<string, unknown>[]>`
    SELECT caller, purpose, token, outcome, merchant_id::text AS merchant_id, accessed_at FROM access_log
    WHERE payment_id = ${paymentId.slice(0, 0)}::text::uuid`;

  test("has a row for every opening: who, why, which card, for which payment", async () => {
    const [{ before = 0 } = {}] = await stage.sql<{ before: number }[]>`SELECT count(*)::int AS before FROM access_log`;
    const token = await tokenOf(vault, key, "5200828282828210");
    await connectors.detokenize(opening(merchantId, token), call);
    await connectors.detokenize(opening(merchantId, token, "refund"), call);
    await connectors.detokenize(opening(merchantId, `tok_${"0".repeat(26)}`), call);
    await connectors.detokenize(opening(merchantId, "4242424242424242"), call);
    await untilTrue(async () => {
      const [row] = await stage.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM access_log`;
      return row?.count === before + 4;
    }, 5_000);
    const rows = await stage.sql<Record<string, unknown>[]>`
      SELECT caller, purpose, token, outcome FROM access_log ORDER BY accessed_at DESC, seq DESC LIMIT 4`;
    expect(rows.toReversed()).toEqual([
      { caller: "connectors", purpose: "authorize", token, outcome: "opened" },
      { caller: "connectors", purpose: "refund", token, outcome: "opened" },
      { caller: "connectors", purpose: "authorize", token: `tok_${"0".repeat(26)}`, outcome: "not_found" },
      { caller: "connectors", purpose: "authorize", token: "(no token)", outcome: "not_found" },
    ]);
    expect(rowsOf).toBeDefined();
  });

  test("has no gaps in a writer's numbers", async () => {
    const rows = await stage.sql<{ count: number; first: number; last: number }[]>`
      SELECT count(*)::int AS count, min(seq)::int AS first, max(seq)::int AS last FROM access_log GROUP BY writer_id`;
    expect(rows.length).toBeGreaterThan(0);
    for (const { count, first, last } of rows) expect([first, last]).toEqual([1, count]);
  });

  test("a sealed card that was tampered with stays closed, and that is recorded", async () => {
    const token = await tokenOf(vault, key, "5200828282828210");
    const other = await tokenOf(vault, key, "6011000990139424");
    // Another card's seal in this card's row, as somebody with the database in his hands would do.
    await stage.sql`UPDATE cards SET sealed = (SELECT sealed FROM cards WHERE last4 = '9424' LIMIT 1) WHERE last4 = '8210' AND merchant_id IN (SELECT merchant_id FROM cards WHERE last4 = '9424')`;
    await expect(connectors.detokenize(opening(merchantId, token), call)).rejects.toMatchObject({ code: "internal" });
    expect(text((await connectors.detokenize(opening(merchantId, other), call)).number)).toBe("6011000990139424");
    await untilTrue(
      async () => (await stage.sql`SELECT 1 FROM access_log WHERE outcome = 'unreadable' AND token = ${token}`).length === 1,
      5_000,
    );
  });
});

test("a restart keeps tokens, forgets codes, and loses no access record", async () => {
  const token = await tokenOf(vault, key, "6011000990139424", { cvc: canaryCode });
  const payments = Array.from({ length: 200 }, () => opening(merchantId, "tok_visa_4242", "refund"));
  await Promise.all(payments.map((request) => connectors.detokenize(request, call)));
  const { body } = { body: await countOf("refund") };
  await disconnect();
  expect(await vault.stop("SIGTERM")).toBe(0);
  outputs += vault.output();
  expect(await countOf("refund")).toBeGreaterThanOrEqual(Math.max(body, 200));
  vault = await startVault(stage);
  await connect();
  const opened = await connectors.detokenize(opening(merchantId, token), call);
  expect([text(opened.number), text(opened.securityCode)]).toEqual(["6011000990139424", ""]);
});

async function countOf(purpose: string): Promise<number> {
  const [row] = await stage.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM access_log WHERE purpose = ${purpose}`;
  return row?.count ?? 0;
}

test("with FLORIN_ACCESS_RECORDS=committed the record is there when the answer is", async () => {
  const strict = await startVault(stage, { FLORIN_ACCESS_RECORDS: "committed" });
  const client = await clientOf(stage, strict, "connectors");
  for (let round = 0; round < 5; round++) {
    await client.detokenize(opening(merchantId, "tok_visa_4242", "verify"), call);
    expect(await countOf("verify")).toBe(round + 1);
  }
  await client.close();
  await strict.stop();
});

test("two processes serve the same cards", async () => {
  const second = await startVault(stage);
  const token = await tokenOf(second, key, "6011000990139424");
  expect(text((await connectors.detokenize(opening(merchantId, token), call)).number)).toBe("6011000990139424");
  await second.stop();
  outputs += second.output();
});

test("no card number and no code stands in the database or in what the process wrote", async () => {
  for (const number of canaries) await tokenOf(vault, key, number, { cvc: number.startsWith("37") ? "9170" : canaryCode });
  outputs += vault.output();
  const spellings = canaries.flatMap((number) => [
    number,
    Buffer.from(number).toString("hex"),
    Buffer.from(number).toString("base64").replace(/=+$/, ""),
  ]);
  const hits = (where: string) => spellings.filter((spelling) => where.includes(spelling));
  expect(hits(`x${canaries[0]}x`)).toHaveLength(1);
  const tables = await stage.sql<{ name: string }[]>`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`;
  let rowsRead = 0;
  for (const { name } of tables) {
    const rows = await stage.sql.unsafe(`SELECT t::text AS row FROM "${name}" t`);
    rowsRead += rows.length;
    expect([name, hits(rows.map((row) => String(row["row"])).join("\n"))]).toEqual([name, []]);
  }
  expect(rowsRead).toBeGreaterThan(50);
  expect(outputs.length).toBeGreaterThan(100);
  expect(hits(outputs)).toEqual([]);
  expect(outputs).not.toContain(key);
  const metrics = await (await fetch(`${vault.adminUrl}/metrics`)).text();
  expect(hits(metrics)).toEqual([]);
  expect(metrics).toMatch(/vault_tokens_created_total\S* [1-9]/);
  expect(metrics).toMatch(/vault_detokenize_total\{\S*result="ok"\S* [1-9]/);
});
