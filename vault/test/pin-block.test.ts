/** An encrypted PIN on its way through the vault: given once, to the authorization, and then nowhere. */
import { randomBytes } from "node:crypto";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { copiesInMemory } from "./process-memory.ts";
import { clientOf, newId, openStage, postToken, type Stage, startVault, tokenOf, type VaultClient, type VaultProcess } from "./stage.ts";

const number = "4000000000001000";
const keySerialNumber = "FFFF9876543210E00008";
const rounds = 50;
/** As in memory.test.ts. */
const leftoversMax = 20;
const options = { timeoutMs: 5_000 };

let stage: Stage;
let vault: VaultProcess;
let connectors: VaultClient;
let merchantId: string;
let key: string;

beforeAll(async () => {
  stage = await openStage();
  vault = await startVault(stage);
  merchantId = newId("merchant");
  key = await stage.key(merchantId, "live");
  connectors = await clientOf(stage, vault, "connectors");
});
afterAll(async () => {
  await connectors?.close();
  await vault?.stop();
  await stage?.close();
});

const newBlock = () => randomBytes(8);
const pin = (block: Buffer) => ({ pin: { block: block.toString("hex"), key_serial_number: keySerialNumber } });
const opening = (token: string, purpose = "authorize") => ({ merchantId, token, purpose, paymentId: newId("payment") });
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex").toUpperCase();

test("the first opening for an authorization has it, as it came; no other has", async () => {
  const block = newBlock();
  const token = await tokenOf(vault, key, number, pin(block));
  const refund = await connectors.detokenize(opening(token, "refund"), options);
  expect([refund.found, refund.pinBlock.length, refund.pinKeySerialNumber.length]).toEqual([true, 0, 0]);
  const first = await connectors.detokenize(opening(token), options);
  expect([hex(first.pinBlock), hex(first.pinKeySerialNumber), Buffer.from(first.securityCode).toString()]).toEqual([
    hex(block),
    keySerialNumber,
    "123",
  ]);
  const second = await connectors.detokenize(opening(token), options);
  expect([second.found, second.pinBlock.length, second.pinKeySerialNumber.length]).toEqual([true, 0, 0]);
});

test("a card without one has none, and one that is refused says nothing of it", async () => {
  const token = await tokenOf(vault, key, number, { pin: { block: newBlock().toString("hex") } });
  expect((await connectors.detokenize(opening(token), options)).pinKeySerialNumber).toHaveLength(0);
  const plain = await tokenOf(vault, key, number);
  expect((await connectors.detokenize(opening(plain), options)).pinBlock).toHaveLength(0);
  const block = newBlock().toString("hex");
  const refused = await postToken(vault, key, { card: { number, exp_month: 12, exp_year: 2035, pin: { block: `${block}0` } } });
  expect([refused.status, refused.text.includes(block.slice(0, 12))]).toEqual([400, false]);
});

test("afterwards it is in no table, no log and no memory of the vault's", async (context) => {
  const block = newBlock();
  const copies = (bytes: Buffer) => copiesInMemory(vault.child.pid ?? 0, bytes);
  const [asText, asBytes] = [Buffer.from(block.toString("hex")), block];
  if (copies(asText) === undefined) return context.skip("this system lets nobody read another process' memory");
  for (let round = 0; round < rounds; round++) {
    const token = await tokenOf(vault, key, number, pin(block));
    expect(hex((await connectors.detokenize(opening(token), options)).pinBlock)).toBe(hex(block));
  }
  for (let round = 0; round < leftoversMax; round++) await postToken(vault, key, { card: { number, exp_month: 12, exp_year: 2035 } });
  await untilTrue(() => (copies(asText) ?? 0) <= leftoversMax && (copies(asBytes) ?? 0) <= leftoversMax, 5_000);
  const tables = await stage.sql<{ name: string }[]>`SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`;
  expect(tables.length).toBeGreaterThan(5);
  for (const { name } of tables) {
    const rows = await stage.sql.unsafe(`SELECT t::text AS row FROM ${name} t`);
    expect([name, rows.some((row) => String(row["row"]).toLowerCase().includes(asText.toString()))]).toEqual([name, false]);
  }
});
