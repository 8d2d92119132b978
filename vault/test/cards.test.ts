/** What other processes may ask, over real gRPC with mTLS; what is left behind; what a restart keeps. */
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { TokenState, VaultService } from "@florin/gen/vault/v1/vault";
import { idFromHex, idToHex } from "@florin/kernel";
import { connectPostgres } from "@florin/runtime/postgres";
import { connectUnary } from "@florin/runtime/rpc";
import { temporaryFolder, untilTrue } from "@florin/runtime/testing";
import { loadTls } from "@florin/runtime/tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wellKnownTokens } from "../src/domain/test-cards.ts";
import { tokenToHex } from "../src/domain/token.ts";
import { createAccessStore } from "../src/store/access-log.ts";
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
      state: TokenState.ACTIVE,
      usage: "reusable",
      usedByPaymentId: "",
      createdAtMs: expect.any(BigInt),
      expiresAtMs: BigInt(Date.parse("2036-06-29T12:00:00Z")),
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
  test("has a row for every opening: who, why, which card, for which payment", async () => {
    const own = newId("merchant");
    const token = await tokenOf(vault, await stage.key(own), "5200828282828210");
    const requests = [
      opening(own, token),
      opening(own, token, "refund"),
      opening(own, `tok_${"0".repeat(26)}`),
      opening(own, "4242424242424242"),
    ];
    const startedAtMs = Date.now();
    for (const request of requests) await connectors.detokenize(request, call);
    const read = () => stage.sql<Record<string, unknown>[]>`
      SELECT caller, purpose, token, outcome, payment_id::text AS payment_id, accessed_at FROM access_log
      WHERE merchant_id = ${idToHex(own)}::uuid ORDER BY writer_id, seq`;
    await untilTrue(async () => (await read()).length === requests.length, 5_000);
    const rows = await read();
    expect(rows.map(({ accessed_at: _at, payment_id: _payment, ...row }) => row)).toEqual([
      { caller: "connectors", purpose: "authorize", token, outcome: "opened" },
      { caller: "connectors", purpose: "refund", token, outcome: "opened" },
      { caller: "connectors", purpose: "authorize", token: `tok_${"0".repeat(26)}`, outcome: "not_found" },
      // Something that is no token may be a card number in the wrong field.
      { caller: "connectors", purpose: "authorize", token: "(no token)", outcome: "not_found" },
    ]);
    expect(rows.map((row) => idFromHex("payment", String(row["payment_id"])))).toEqual(requests.map(({ paymentId }) => paymentId));
    for (const row of rows) expect((row["accessed_at"] as Date).getTime()).toBeGreaterThanOrEqual(startedAtMs);
  });

  test("has no gaps in a writer's numbers", async () => {
    const rows = await stage.sql<{ count: number; first: number; last: number }[]>`
      SELECT count(*)::int AS count, min(seq)::int AS first, max(seq)::int AS last FROM access_log GROUP BY writer_id`;
    expect(rows.length).toBeGreaterThan(0);
    for (const { count, first, last } of rows) expect([first, last]).toEqual([1, count]);
    const [batched] = await stage.sql<{ records: number }[]>`SELECT sum(records)::int AS records FROM access_batches`;
    expect(batched?.records).toBe(rows.reduce((total, { count }) => total + count, 0));
  });

  test("takes a batch that is repeated once only", async () => {
    const sql = connectPostgres({ url: stage.appUrl, name: "test", connectionsMax: 2 });
    const store = createAccessStore(sql);
    const writerId = randomUUID();
    const own = newId("merchant");
    const access = {
      atMs: Date.now(),
      token: "tok_visa_4242",
      caller: "connectors",
      actor: "",
      purpose: "repeated",
      outcome: "opened",
    } as const;
    const batch = Array.from({ length: 300 }, (_, index) => ({
      ...access,
      merchantId: own,
      paymentId: newId("payment"),
      purpose: index % 2 === 0 ? "repeated" : "repeated_too",
    }));
    await Promise.all([store.append(writerId, 1, batch), store.append(writerId, 1, batch)]);
    await store.append(writerId, 1, batch);
    expect([await countOf("repeated"), await countOf("repeated_too")]).toEqual([150, 150]);
    await sql.end({ timeout: 5 });
  });

  test("records that a sealed card was tampered with, and the card stays closed", async () => {
    const token = await tokenOf(vault, key, "5200828282828210");
    const other = await tokenOf(vault, key, "6011000990139424");
    // Another card's seal in this card's row, as somebody with the database in his hands would do.
    await stage.sql`UPDATE cards SET sealed = (SELECT sealed FROM cards WHERE token_id = ${tokenToHex(other)}::uuid)
      WHERE token_id = ${tokenToHex(token)}::uuid`;
    await expect(connectors.detokenize(opening(merchantId, token), call)).rejects.toMatchObject({ code: "internal" });
    expect(text((await connectors.detokenize(opening(merchantId, other), call)).number)).toBe("6011000990139424");
    await untilTrue(
      async () => (await stage.sql`SELECT 1 FROM access_log WHERE outcome = 'unreadable' AND token = ${token}`).length === 1,
      5_000,
    );
  });

  test("keeps every card closed while it cannot be written, and loses nothing of what was taken", async () => {
    const request = () => opening(merchantId, "tok_visa_4242", "outage");
    await stage.sql`ALTER TABLE access_log RENAME TO access_log_away`;
    let taken = 0;
    await untilTrue(async () => {
      try {
        await connectors.detokenize(request(), call);
        taken += 1;
        return false;
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "unavailable", work: "not_done" });
        return true;
      }
    }, 10_000);
    expect((await switchClient.describeToken({ merchantId, token: "tok_visa_4242", live: false }, call)).found).toBe(true);
    expect((await fetch(`${vault.adminUrl}/health/ready`)).status).toBe(503);
    await stage.sql`ALTER TABLE access_log_away RENAME TO access_log`;
    await untilTrue(async () => (await fetch(`${vault.adminUrl}/health/ready`)).status === 200, 5_000);
    await connectors.detokenize(request(), call);
    await untilTrue(async () => (await countOf("outage")) === taken + 1, 5_000);
  });
});

test("a restart keeps tokens, forgets codes, and loses no access record", async () => {
  const token = await tokenOf(vault, key, "6011000990139424", { cvc: canaryCode });
  const requests = Array.from({ length: 200 }, () => opening(merchantId, "tok_visa_4242", "before_restart"));
  await Promise.all(requests.map((request) => connectors.detokenize(request, call)));
  const stopped = vault.stop("SIGTERM");
  await disconnect();
  expect(await stopped).toBe(0);
  outputs += vault.output();
  expect(await countOf("before_restart")).toBe(200);
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

test("a card number that was taken and opened never was a string: none is in the heap", async () => {
  // A live card, because test numbers stand in the code. It is no real one: the range is for tests.
  const number = "4000000000001000";
  const folder = temporaryFolder();
  const watched = await startVault(stage, { NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${folder}` });
  const client = await clientOf(stage, watched, "connectors");
  const liveKey = await stage.key(merchantId, "live");
  const bodies = [cardBody(number, { cvc: "917" }), cardBody(number, { exp_year: 2001 }), cardBody(number, { pin: "1" })];
  for (const body of bodies) await postToken(watched, liveKey, body);
  await postToken(watched, key, cardBody(number));
  const token = await tokenOf(watched, liveKey, number);
  expect(text((await client.detokenize(opening(merchantId, token), call)).number)).toBe(number);
  watched.child.kill("SIGUSR2");
  const snapshots = () => readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
  await untilTrue(() => snapshots().some((snapshot) => snapshot.trimEnd().endsWith("}")), 30_000);
  const [snapshot = ""] = snapshots();
  // The search finds what is there as a string.
  expect(snapshot).toContain("5200828282828210");
  expect(snapshot).not.toContain(number);
  await client.close();
  await watched.stop();
});

test("no card number and no code stands in the database's files, its log of changes included", async () => {
  const superuser = connectPostgres({ url: stage.superuserUrl, name: "test", connectionsMax: 1 });
  await superuser`CHECKPOINT`;
  const [row] = await superuser<{ data_directory: string }[]>`SHOW data_directory`;
  await superuser.end({ timeout: 5 });
  const folder = row?.data_directory ?? "";
  // A server elsewhere keeps its files to itself.
  if (!existsSync(folder)) return;
  const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(100);
  for (const file of files.map((entry) => join(entry.parentPath, entry.name))) {
    const bytes = readFileSync(file);
    expect([file, canaries.filter((number) => bytes.includes(number))]).toEqual([file, []]);
  }
});
