/** Single-use tokens, tokens that expire and tokens that are deleted, over two real vaults, real gRPC with mTLS and real PostgreSQL. */
import { randomBytes } from "node:crypto";
import { TokenState } from "@florin/gen/vault/v1/vault";
import { idToHex } from "@florin/kernel";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeToken, tokenToHex } from "../src/domain/token.ts";
import { cardBody, clientOf, newId, openStage, postToken, type Stage, startVault, type VaultClient, type VaultProcess } from "./stage.ts";

const number = "5200828282828210";
const call = { timeoutMs: 10_000 };
const bytesOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();

let stage: Stage;
let vaults: readonly VaultProcess[];
let switches: readonly VaultClient[];
let connectors: readonly VaultClient[];
let merchantId: string;
let key: string;

beforeAll(async () => {
  stage = await openStage();
  const env = { FLORIN_EXPIRY_PERIOD_MS: "200" };
  vaults = [await startVault(stage, env), await startVault(stage, env)];
  merchantId = newId("merchant");
  key = await stage.key(merchantId);
  switches = await Promise.all(vaults.map((vault) => clientOf(stage, vault, "switch")));
  connectors = await Promise.all(vaults.map((vault) => clientOf(stage, vault, "connectors")));
});

afterAll(async () => {
  for (const client of [...(switches ?? []), ...(connectors ?? [])]) await client.close();
  for (const vault of vaults ?? []) await vault.stop();
  await stage?.close();
});

/** The `index`th of a list that has it. */
function at<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length];
  if (found === undefined) throw new Error("the list is empty");
  return found;
}

async function make(more: Record<string, unknown> = {}, card: Record<string, unknown> = {}): Promise<string> {
  const { status, text, body } = await postToken(at(vaults, 0), key, { ...cardBody(number, card), ...more });
  if (status !== 201) throw new Error(`${status}: ${text}`);
  return String(body["id"]);
}

const open = (token: string, paymentId = newId("payment"), o: { purpose?: string; through?: number; merchant?: string } = {}) =>
  at(connectors, o.through ?? 0).detokenize(
    { merchantId: o.merchant ?? merchantId, token, purpose: o.purpose ?? "authorize", paymentId },
    call,
  );
const describeToken = (token: string, through = 0) => at(switches, through).describeToken({ merchantId, token, live: false }, call);
const deleteToken = (token: string, o: { merchant?: string; live?: boolean } = {}) =>
  at(switches, 0).deleteToken({ merchantId: o.merchant ?? merchantId, token, live: o.live ?? false, actor: "key:test" }, call);
const rowsOf = async (table: string, token: string): Promise<number> => {
  const rows = await stage.sql.unsafe(`SELECT 1 FROM ${table} WHERE token_id = '${tokenToHex(token)}'`);
  return rows.length;
};
const recordsOf = (token: string): Promise<readonly unknown[]> =>
  stage.sql`SELECT caller, actor, purpose, payment_id::text AS payment_id, outcome FROM access_log WHERE token = ${token} ORDER BY writer_id, seq`;

describe("a single-use token", () => {
  test("says what it is, opens for its first payment as often as that needs it, and for no other", async () => {
    const token = await make({ usage: "single_use" });
    expect(await describeToken(token)).toMatchObject({ found: true, state: TokenState.ACTIVE, usage: "single_use", usedByPaymentId: "" });
    const [first, other] = [newId("payment"), newId("payment")];
    expect(bytesOf((await open(token, first)).number)).toBe(number);
    for (const [purpose, through] of [
      ["authorize", 0],
      ["refund", 0],
      ["authorize", 1],
      ["capture", 1],
    ] as const)
      expect(bytesOf((await open(token, first, { purpose, through })).number)).toBe(number);
    for (const through of [0, 1]) {
      const refused = await open(token, other, { through });
      expect(refused).toMatchObject({ found: false, state: TokenState.USED, number: new Uint8Array(), securityCode: new Uint8Array() });
      expect(await describeToken(token, through)).toMatchObject({ found: true, state: TokenState.USED, usedByPaymentId: first });
    }
    await untilTrue(async () => (await recordsOf(token)).length === 7, 5_000);
    const refusals = (await recordsOf(token)).filter((row) => (row as { outcome: string }).outcome === "already_used");
    expect(refusals).toHaveLength(2);
    expect(refusals[0]).toMatchObject({ caller: "connectors", purpose: "authorize", payment_id: expect.any(String) });
  });

  test("that 64 payments open at once, at two vaults, opens for one of them", async () => {
    for (let round = 0; round < 5; round++) {
      const token = await make({ usage: "single_use" });
      const payments = Array.from({ length: 64 }, () => newId("payment"));
      const answers = await Promise.all(payments.map((paymentId, index) => open(token, paymentId, { through: index })));
      expect(answers.filter(({ found }) => found)).toHaveLength(1);
      expect(answers.filter(({ securityCode }) => securityCode.length > 0).length).toBeLessThanOrEqual(1);
      expect(answers.filter(({ state }) => state === TokenState.USED)).toHaveLength(63);
      expect((await describeToken(token, 1)).usedByPaymentId).toBe(payments[answers.findIndex(({ found }) => found)]);
    }
  });

  test("is refused without costing the others in its frame anything", async () => {
    const [reusable, unused, used, deleted] = [
      await make(),
      await make({ usage: "single_use" }),
      await make({ usage: "single_use" }),
      await make(),
    ];
    await open(used);
    await deleteToken(deleted);
    const [expired, unknown] = [await make({ expires_in: 60 }), makeToken(randomBytes(16))];
    await stage.sql`UPDATE cards SET expires_at = now() - interval '1 second' WHERE token_id = ${tokenToHex(expired)}::uuid`;
    const tampered = await make();
    await stage.sql`UPDATE cards SET exp_month = 11 WHERE token_id = ${tokenToHex(tampered)}::uuid`;
    const asked = [unknown, reusable, used, "no token", tampered, unused, deleted, expired, "tok_visa_4242"];
    // In one turn: one frame.
    const answers = await Promise.allSettled(asked.map((token) => open(token)));
    const told = answers.map((answer) => (answer.status === "rejected" ? "fault" : answer.value.found ? "open" : answer.value.state));
    expect(told).toEqual([
      TokenState.UNSPECIFIED,
      "open",
      TokenState.USED,
      TokenState.UNSPECIFIED,
      "fault",
      "open",
      TokenState.DELETED,
      TokenState.EXPIRED,
      "open",
    ]);
    for (const who of ["switch", "edge", "ledger"] as const) {
      const client = await clientOf(stage, at(vaults, 0), who);
      const requests = asked.map((token) =>
        client.detokenize({ merchantId, token, purpose: "authorize", paymentId: newId("payment") }, call),
      );
      for (const answer of await Promise.allSettled(requests))
        expect(answer).toMatchObject({ status: "rejected", reason: { code: "caller_not_allowed" } });
      await client.close();
    }
  });

  test("expires in an hour unless a payment has it, and is deleted then", async () => {
    const [unused, used, reusable] = [await make({ usage: "single_use" }), await make({ usage: "single_use" }), await make()];
    const paymentId = newId("payment");
    await open(used, paymentId);
    const { expiresAtMs } = await describeToken(unused);
    expect(Math.abs(Number(expiresAtMs) - Date.now() - 3_600_000)).toBeLessThan(60_000);
    await describeToken(used, 1);
    await stage.sql`UPDATE cards SET expires_at = now() - interval '2 minutes' WHERE usage = 'single_use' AND merchant_id = ${idToHex(merchantId)}::uuid`;
    await untilTrue(async () => (await rowsOf("cards", unused)) === 0, 10_000);
    expect([await rowsOf("card_key_shares", unused), await rowsOf("deleted_cards", unused)]).toEqual([0, 1]);
    for (const through of [0, 1]) {
      expect((await open(unused, newId("payment"), { through })).state).toBe(TokenState.EXPIRED);
      expect(await describeToken(unused, through)).toMatchObject({ found: false, state: TokenState.EXPIRED });
      // Asked of a vault that did not see its payment, too.
      expect(bytesOf((await open(used, paymentId, { through, purpose: "refund" })).number)).toBe(number);
    }
    expect(await rowsOf("cards", used)).toBe(1);
    expect((await open(reusable)).found).toBe(true);
    await untilTrue(async () => (await recordsOf(unused)).some((row) => (row as { outcome: string }).outcome === "deleted"), 5_000);
    expect(await recordsOf(unused)).toContainEqual({ caller: "vault", actor: "", purpose: "expire", payment_id: null, outcome: "deleted" });
  });
});

describe("a reusable token", () => {
  test("opens for every payment, and claims nothing", async () => {
    const token = await make();
    for (let round = 0; round < 3; round++) expect((await open(token)).found).toBe(true);
    expect(await rowsOf("token_claims", token)).toBe(0);
    expect(await describeToken(token)).toMatchObject({ state: TokenState.ACTIVE, usage: "reusable", usedByPaymentId: "" });
  });

  test("expires when that was asked for, with its card otherwise", async () => {
    const { body } = await postToken(at(vaults, 0), key, { ...cardBody(number), expires_in: 600 });
    expect(Math.abs(Date.parse(String(body["expires_at"])) - Date.parse(String(body["created_at"])) - 600_000)).toBe(0);
    const plain = await postToken(at(vaults, 0), key, cardBody(number, { exp_month: 12, exp_year: 2035 }));
    expect(plain.body["expires_at"]).toBe("2036-06-29T12:00:00.000Z");
    const refused = await postToken(at(vaults, 0), key, { ...cardBody(number), expires_in: 5 });
    expect([refused.status, refused.body]).toMatchObject([400, { error: { code: "parameter_invalid", param: "expires_in" } }]);
  });

  test("of a card whose month and grace are over is deleted", async () => {
    const token = await make();
    expect((await open(token)).found).toBe(true);
    await stage.sql`UPDATE cards SET exp_year = 2020 WHERE token_id = ${tokenToHex(token)}::uuid`;
    await untilTrue(async () => (await rowsOf("cards", token)) === 0, 10_000);
    await untilTrue(async () => (await describeToken(token, 1)).state === TokenState.EXPIRED, 5_000);
  });
});

describe("a deleted token", () => {
  test("is gone from every table but its tombstone, from both vaults' memory, and says so", async () => {
    const token = await make({ usage: "single_use" });
    const paymentId = newId("payment");
    for (const through of [0, 1]) expect((await open(token, paymentId, { through })).found).toBe(true);
    expect(await deleteToken(token)).toMatchObject({ found: true });
    expect((await open(token, paymentId)).state).toBe(TokenState.DELETED);
    await untilTrue(async () => (await open(token, paymentId, { through: 1 })).state === TokenState.DELETED, 5_000);
    for (const table of ["cards", "card_key_shares", "token_claims"]) expect([table, await rowsOf(table, token)]).toEqual([table, 0]);
    const [tombstone] = await stage.sql<Record<string, unknown>[]>`SELECT * FROM deleted_cards WHERE token_id = ${tokenToHex(token)}::uuid`;
    expect(Object.keys(tombstone ?? {}).sort()).toEqual(["deleted_at", "deleted_by", "merchant_id", "mode", "reason", "token_id"]);
    expect(tombstone).toMatchObject({ reason: "deleted", deleted_by: "key:test", mode: "test" });
    expect(await describeToken(token)).toMatchObject({ found: false, state: TokenState.DELETED, last4: "", fingerprint: "" });
  });

  test("may be deleted again, and leaves a record each time", async () => {
    const token = await make();
    expect([(await deleteToken(token)).found, (await deleteToken(token)).found]).toEqual([true, true]);
    expect(await recordsOf(token)).toEqual([
      { caller: "switch", actor: "key:test", purpose: "delete", payment_id: null, outcome: "deleted" },
      { caller: "switch", actor: "key:test", purpose: "delete", payment_id: null, outcome: "gone" },
    ]);
    await open(token);
    await untilTrue(async () => (await recordsOf(token)).length === 3, 5_000);
    expect((await recordsOf(token)).at(-1)).toMatchObject({ caller: "connectors", outcome: "gone", payment_id: expect.any(String) });
  });

  test("must be the caller's own, in its mode, and a stored one", async () => {
    const token = await make();
    expect((await deleteToken(token, { merchant: newId("merchant") })).found).toBe(false);
    expect((await deleteToken(token, { live: true })).found).toBe(false);
    expect((await deleteToken(makeToken(randomBytes(16)))).found).toBe(false);
    expect((await deleteToken(number)).found).toBe(false);
    await expect(deleteToken("tok_visa_4242")).rejects.toMatchObject({ code: "parameter_invalid" });
    expect((await open(token)).found).toBe(true);
    await expect(at(connectors, 0).deleteToken({ merchantId, token, live: false, actor: "key:x" }, call)).rejects.toMatchObject({
      code: "caller_not_allowed",
    });
  });

  test("forgets its security code with it", async () => {
    const token = await make();
    await deleteToken(token);
    expect(await open(token)).toMatchObject({ found: false, securityCode: new Uint8Array() });
  });
});

test("the process's role deletes and claims by functions only", async () => {
  const grants = await stage.sql<{ name: string; rights: string }[]>`
    SELECT table_name AS name, string_agg(privilege_type, ', ' ORDER BY privilege_type) AS rights
    FROM information_schema.role_table_grants WHERE grantee = 'florin_vault_app'
      AND table_name IN ('cards', 'card_key_shares', 'token_claims', 'deleted_cards') GROUP BY table_name ORDER BY table_name`;
  expect(Object.fromEntries(grants.map(({ name, rights }) => [name, rights]))).toEqual({
    card_key_shares: "INSERT, SELECT",
    cards: "INSERT, SELECT",
    deleted_cards: "SELECT",
    token_claims: "SELECT",
  });
});
