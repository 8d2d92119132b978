/**
 * A card that was deleted is out of reach for whoever has everything else: a copy of every other table from before the deletion, and every key of the house.
 * With the share the same copy opens the card, so what is missing is the share and nothing else.
 */
import { Secret } from "@florin/kernel";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { open as openSeal, seal } from "../src/app/card-cipher.ts";
import { cardKeyOf } from "../src/app/card-key.ts";
import { type DataKeys, loadDataKeys } from "../src/app/data-keys.ts";
import { resealCards, retireDataKey, rotateDataKey } from "../src/app/key-custody.ts";
import { bindingBytes, decodeCard } from "../src/domain/sealed-card.ts";
import { tokenToHex } from "../src/domain/token.ts";
import { createSoftwareHsm } from "../src/hsm/software.ts";
import { migrate } from "../src/migrate.ts";
import { createCardStore, type FoundCard } from "../src/store/cards.ts";
import { createDataKeyStore } from "../src/store/data-keys.ts";
import { createResealStore } from "../src/store/reseal-cards.ts";
import { clientOf, kek, newId, openStage, type Stage, startVault, tokenOf, type VaultProcess } from "./stage.ts";

const number = "6011000990139424";
const sharesTable = "card_key_shares";
const merchantId = newId("merchant");
/** With the key of the house, and no memory of its generations: the thief's. */
const makeHsm = () => createSoftwareHsm({ kek: new Secret(Buffer.from(kek, "hex")), environment: "sandbox" });

let stage: Stage;
let vault: VaultProcess;

beforeAll(async () => {
  stage = await openStage();
  vault = await startVault(stage);
});

afterAll(async () => {
  await vault?.stop();
  await stage?.close();
});

/** A row of each table as JSON, as a backup would have it. */
async function dump(tables: (name: string) => boolean): Promise<ReadonlyMap<string, string>> {
  const names = await stage.sql<{ name: string }[]>`
    SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> 'schema_migrations'`;
  const copies = new Map<string, string>();
  for (const { name } of names.filter((one) => tables(one.name))) {
    const [row] = await stage.sql.unsafe<{ rows: string }[]>(`SELECT coalesce(json_agg(t), '[]')::text AS rows FROM "${name}" t`);
    copies.set(name, row?.rows ?? "[]");
  }
  return copies;
}

/** Another house with this backup and the key-encryption key: what the attacker has. */
async function restored(name: string, copies: ReadonlyMap<string, string>): Promise<Sql> {
  const admin = connectPostgres({ url: stage.superuserUrl, name: "test", connectionsMax: 1 });
  await admin.unsafe(`CREATE DATABASE ${name} OWNER florin_vault_owner`);
  await admin.end({ timeout: 5 });
  const url = new URL(stage.ownerUrl);
  url.pathname = `/${name}`;
  const ownerUrl = url.toString();
  await migrate(ownerUrl);
  const sql = connectPostgres({ url: ownerUrl, name: "test", connectionsMax: 2 });
  await fill(sql, copies);
  return sql;
}

async function fill(sql: Sql, copies: ReadonlyMap<string, string>): Promise<void> {
  // Keys first: the database takes no card of a key that is not there.
  const inOrder = [...copies].sort(([left], [right]) => Number(right === "data_keys") - Number(left === "data_keys"));
  for (const [table, rows] of inOrder)
    await sql.unsafe(
      `INSERT INTO "${table}" OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::"${table}", $1::text::json)`,
      [rows],
    );
}

/** Opens the card with all that is in this database; throws when it stays closed. */
async function read(sql: Sql, token: string, keys?: DataKeys): Promise<string> {
  const dataKeys =
    keys ?? (await loadDataKeys({ hsm: makeHsm(), store: createDataKeyStore(sql), epochLifeMs: 3_600_000, now: () => performance.now() }));
  const [card] = await createCardStore(sql).find([{ merchantId, token }]);
  if (card?.kind !== "card") throw new Error("there is no such card");
  return openWith(dataKeys, card);
}

/** With every key and every binding that there is: who steals a house does not go by its rules. */
async function openWith(dataKeys: DataKeys, card: FoundCard): Promise<string> {
  const { expMonth, expYear } = card.facts;
  const merchantKey = await dataKeys.openingKey(merchantId, card.epoch);
  const shares = [card.share, undefined, Buffer.alloc(32)];
  for (const usage of [card.usage, undefined])
    for (const share of shares) {
      try {
        const plain = openSeal(cardKeyOf(merchantKey, share), bindingBytes({ ...card, expMonth, expYear, usage }), card.sealed);
        return Buffer.from(decodeCard(plain).number).toString();
      } catch {
        // Another way, then.
      }
    }
  throw new Error("the card does not open in any way");
}

test("a backup without shares, every key and the deleted database do not open a deleted card; its share would", async () => {
  const key = await stage.key(merchantId);
  const [token, kept] = [await tokenOf(vault, key, number), await tokenOf(vault, key, number)];
  const backup = await dump((name) => name !== sharesTable);
  const shares = await dump((name) => name === sharesTable);
  expect(backup.get("cards")).toContain(tokenToHex(token).slice(0, 8));
  const client = await clientOf(stage, vault, "switch");
  expect((await client.deleteToken({ merchantId, token, live: false, actor: "key:test" }, { timeoutMs: 5_000 })).found).toBe(true);
  await client.close();
  const sharesAfter = await dump((name) => name === sharesTable);

  const attacker = await restored("florin_vault_stolen", backup);
  await fill(attacker, sharesAfter);
  await expect(read(attacker, token)).rejects.toThrow("the card does not open in any way");
  // The backup is whole and the keys are right: the card beside it opens.
  expect(await read(attacker, kept)).toBe(number);
  await attacker`TRUNCATE card_key_shares`;
  await fill(attacker, shares);
  expect(await read(attacker, token)).toBe(number);
  await attacker.end({ timeout: 5 });
});

test("a backup of cards from before they were sealed anew opens with the shares of after, and cards without a share get one", async () => {
  const key = await stage.key(merchantId);
  const [token, old] = [await tokenOf(vault, key, number), await tokenOf(vault, key, number)];
  const o = { hsm: makeHsm(), store: createDataKeyStore(stage.sql) };
  const dataKeys = await loadDataKeys({ ...o, epochLifeMs: 3_600_000, now: () => performance.now() });
  await sealAsBefore(dataKeys, old);
  expect(await read(stage.sql, old, dataKeys)).toBe(number);
  const backup = await dump((name) => name !== sharesTable);
  await rotateDataKey(o, { by: "alice" });
  await retireDataKey(o, 1, { by: "alice" });
  const custody = { ...o, dataKeys, cards: createResealStore(stage.sql), rowsPerSecondMax: 1_000_000, record: async () => {} };
  expect((await resealCards(custody, { by: "alice" })).resealed).toBeGreaterThanOrEqual(2);
  for (const one of [token, old]) expect(await read(stage.sql, one, dataKeys)).toBe(number);
  const [share] = await stage.sql`SELECT 1 FROM card_key_shares WHERE token_id = ${tokenToHex(old)}::uuid`;
  expect(share).toBeDefined();
  const shares = await dump((name) => name === sharesTable);
  const copy = await restored("florin_vault_restored", backup);
  await fill(copy, shares);
  expect(await read(copy, token)).toBe(number);
  await copy.end({ timeout: 5 });
  // The vault that serves opens both, whatever it has in memory.
  const connectors = await clientOf(stage, vault, "connectors");
  for (const one of [token, old])
    await untilTrue(async () => {
      const request = { merchantId, token: one, purpose: "authorize", paymentId: newId("payment") };
      return Buffer.from((await connectors.detokenize(request, { timeoutMs: 5_000 })).number).toString() === number;
    }, 5_000);
  await connectors.close();
});

/** Gives a card the form that it had before there were shares: sealed under its merchant's key. */
async function sealAsBefore(dataKeys: DataKeys, token: string): Promise<void> {
  const [card] = await createCardStore(stage.sql).find([{ merchantId, token }]);
  if (card?.kind !== "card") throw new Error("there is no such card");
  const merchantKey = await dataKeys.openingKey(merchantId, card.epoch);
  const { expMonth, expYear } = card.facts;
  const plain = openSeal(cardKeyOf(merchantKey, card.share), bindingBytes({ ...card, expMonth, expYear }), card.sealed);
  const sealed = seal(merchantKey, bindingBytes({ ...card, expMonth, expYear, usage: undefined }), plain);
  await stage.sql`UPDATE cards SET sealed = ${sealed} WHERE token_id = ${tokenToHex(token)}::uuid`;
  await stage.sql`DELETE FROM card_key_shares WHERE token_id = ${tokenToHex(token)}::uuid`;
}
