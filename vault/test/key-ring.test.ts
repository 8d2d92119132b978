/** The ring of data keys on a real database: whatever is done to its rows behind the vault's back is noticed. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { AppError, Secret } from "@florin/kernel";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { startTelemetry } from "@florin/runtime/telemetry";
import { temporaryFolder, untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { open, seal } from "../src/app/card-cipher.ts";
import { createTokenMaker } from "../src/app/create-token.ts";
import { type DataKeys, loadDataKeys } from "../src/app/data-keys.ts";
import { acceptRestore, destroyDataKey, retireDataKey, rewrapDataKeys, rotateDataKey } from "../src/app/key-custody.ts";
import { createSecurityCodes } from "../src/app/security-codes.ts";
import type { Hsm } from "../src/hsm/port.ts";
import { createSoftwareHsm } from "../src/hsm/software.ts";
import { createCardStore } from "../src/store/cards.ts";
import { createDataKeyStore, type DataKeyStore } from "../src/store/data-keys.ts";
import { createKeyInventoryStore } from "../src/store/key-inventory.ts";
import { createResealStore } from "../src/store/reseal-cards.ts";
import { newId, openStage, type Stage } from "./stage.ts";

const alice = { by: "alice" };
const both = { by: "alice", witness: "bob" };
const binding = Buffer.from("bound to this");
const plain = Buffer.from("a card");
const merchantId = newId("merchant");
const changed = { code: "internal", message: expect.stringContaining("not as they were left") };
const setBack = { code: "internal", message: expect.stringContaining("were set back") };

let stage: Stage;
let sql: Sql;
let store: DataKeyStore;
/** As custodians use it. */
let owned: DataKeyStore;
let kek: Buffer;
let hsm: Hsm;
let generationFile: string;

beforeAll(async () => {
  stage = await openStage();
  sql = connectPostgres({ url: stage.appUrl, name: "test", connectionsMax: 4 });
  [store, owned] = [createDataKeyStore(sql), createDataKeyStore(stage.sql)];
});

/** Three epochs, the first two of which have been used. */
beforeEach(async () => {
  await stage.sql`TRUNCATE data_keys, key_ring, key_events, cards`;
  kek = randomBytes(32);
  generationFile = join(temporaryFolder(), "generation");
  hsm = hsmOf(kek);
  const keys = await load();
  for (const epoch of [1, 2]) {
    expect((await keys.takeSealingKey(merchantId)).epoch).toBe(epoch);
    await rotateDataKey({ hsm, store: owned }, alice);
    await keys.refresh();
  }
});

afterAll(async () => {
  await sql?.end({ timeout: 5 });
  await stage?.close();
});

const hsmOf = (bytes: Buffer, unwrapOnly?: Buffer): Hsm =>
  createSoftwareHsm({
    kek: new Secret(Buffer.from(bytes)),
    unwrapOnly: unwrapOnly === undefined ? undefined : new Secret(Buffer.from(unwrapOnly)),
    environment: "sandbox",
    generationFile,
  });
const load = (with_: Hsm = hsm): Promise<DataKeys> =>
  loadDataKeys({ hsm: with_, store, epochLifeMs: 3_600_000, now: () => performance.now() });

/** Rows and seal as they are now, to be put back later, inside of the database: the driver would round their times. */
async function snapshot(): Promise<() => Promise<void>> {
  await stage.sql`DROP TABLE IF EXISTS saved_keys, saved_ring`;
  await stage.sql`CREATE TABLE saved_keys AS SELECT * FROM data_keys`;
  await stage.sql`CREATE TABLE saved_ring AS SELECT * FROM key_ring`;
  return async () => {
    await stage.sql`TRUNCATE data_keys, key_ring`;
    await stage.sql`INSERT INTO data_keys SELECT * FROM saved_keys`;
    await stage.sql`INSERT INTO key_ring SELECT * FROM saved_ring`;
  };
}

describe("a ring that was touched", () => {
  test("is not when nothing was done: it opens in every process, and rises with every change", async () => {
    expect((await load()).epoch).toBe(0);
    expect((await createKeyInventoryStore(stage.sql).read(1)).generation).toBe(4);
    expect(await hsm.readGeneration()).toBe(4);
  });

  test.each([
    [
      "wrapped keys swapped between epochs",
      "UPDATE data_keys a SET wrapped_key = b.wrapped_key FROM data_keys b WHERE a.purpose = 'card' AND b.purpose = 'card' AND a.epoch + b.epoch = 3",
    ],
    [
      "wrapped keys swapped with their checks",
      "UPDATE data_keys a SET wrapped_key = b.wrapped_key, key_check = b.key_check FROM data_keys b WHERE a.purpose = 'card' AND b.purpose = 'card' AND a.epoch + b.epoch = 3",
    ],
    ["a key removed", "DELETE FROM data_keys WHERE purpose = 'card' AND epoch = 1"],
    ["the newest key removed", "DELETE FROM data_keys WHERE purpose = 'card' AND epoch = 3"],
    ["the fingerprint key removed", "DELETE FROM data_keys WHERE purpose = 'fingerprint'"],
    ["a life made longer", "UPDATE data_keys SET created_at = created_at + interval '1 year' WHERE epoch = 3"],
    ["a retirement undone or pretended", "UPDATE data_keys SET retired_at = now() WHERE purpose = 'card' AND epoch = 1"],
    ["another epoch's number", "UPDATE data_keys SET epoch = 4 WHERE purpose = 'card' AND epoch = 3"],
    ["the seal removed", "DELETE FROM key_ring"],
    ["the generation raised", "UPDATE key_ring SET generation = generation + 1"],
    ["less under the seal than there was", "UPDATE key_ring SET covered_epoch = 1"],
    ["another name of the key-encryption key", "UPDATE data_keys SET kek_id = 'software:0000000000000000' WHERE epoch = 2"],
  ])("%s: no process starts, and one that runs keeps what it has", async (_, statement) => {
    const running = await load();
    const key = await running.openingKey(merchantId, 1);
    await stage.sql.unsafe(statement);
    await expect(load()).rejects.toMatchObject({ code: "internal", work: "not_done" });
    await expect(running.refresh()).rejects.toMatchObject({ code: "internal" });
    expect(await running.openingKey(merchantId, 1)).toBe(key);
    await expect(rotateDataKey({ hsm, store: owned }, alice)).rejects.toMatchObject({ code: "internal" });
  });

  test("a key that was cut short is refused by the table, and without the table by the seal", async () => {
    await expect(stage.sql`UPDATE data_keys SET wrapped_key = substring(wrapped_key FOR 32) WHERE epoch = 1`).rejects.toMatchObject({
      code: "23514",
    });
    await stage.sql`ALTER TABLE data_keys DROP CONSTRAINT data_keys_wrapped_key_check`;
    try {
      await stage.sql`UPDATE data_keys SET wrapped_key = substring(wrapped_key FOR 32) WHERE purpose = 'card' AND epoch = 1`;
      await expect(load()).rejects.toMatchObject(changed);
    } finally {
      await stage.sql`UPDATE data_keys SET wrapped_key = wrapped_key || '\\x0000000000000000' WHERE octet_length(wrapped_key) = 32`;
      await stage.sql`ALTER TABLE data_keys ADD CONSTRAINT data_keys_wrapped_key_check CHECK (octet_length(wrapped_key) = 40)`;
    }
  });

  test("a key of another vault under the same key-encryption key is refused", async () => {
    const restore = await snapshot();
    await stage.sql`TRUNCATE data_keys, key_ring`;
    const elsewhere = createSoftwareHsm({ kek: new Secret(Buffer.from(kek)), environment: "sandbox" });
    await (await load(elsewhere)).takeSealingKey(merchantId);
    const [foreign] = await stage.sql<{ wrapped_key: Buffer; key_check: Buffer }[]>`
      SELECT wrapped_key, key_check FROM data_keys WHERE purpose = 'card' AND epoch = 1`;
    await restore();
    await stage.sql`UPDATE data_keys SET wrapped_key = ${foreign?.wrapped_key ?? ""}, key_check = ${foreign?.key_check ?? ""}
      WHERE purpose = 'card' AND epoch = 1`;
    await expect(load()).rejects.toMatchObject(changed);
  });

  test("one merchant's key opens nothing of another's, in the same epoch", async () => {
    const keys = await load();
    const sealed = seal(await keys.openingKey(merchantId, 1), binding, plain);
    const foreign = await keys.openingKey(newId("merchant"), 1);
    expect(() => open(foreign, binding, sealed)).toThrow("does not open");
    expect(open(await keys.openingKey(merchantId, 1), binding, sealed)).toEqual(plain);
  });

  test("one row set back to what it was before a rewrap is refused", async () => {
    const [before] = await stage.sql<{ wrapped_key: Buffer; kek_id: string }[]>`
      SELECT wrapped_key, kek_id FROM data_keys WHERE purpose = 'card' AND epoch = 1`;
    const next = hsmOf(randomBytes(32), kek);
    expect(await rewrapDataKeys({ hsm: next, store: owned }, alice)).toEqual({ rewrapped: 4 });
    await load(next);
    await stage.sql`UPDATE data_keys SET wrapped_key = ${before?.wrapped_key ?? ""}, kek_id = ${before?.kek_id ?? ""}
      WHERE purpose = 'card' AND epoch = 1`;
    await expect(load(next)).rejects.toMatchObject(changed);
  });

  test("the whole database set back is refused, seal and all, until two people accept it; then a new epoch seals", async () => {
    const restore = await snapshot();
    await rotateDataKey({ hsm, store: owned }, alice);
    await restore();
    await expect(load()).rejects.toMatchObject(setBack);
    await expect(acceptRestore({ hsm, store: owned }, alice)).rejects.toThrow("two people");
    await expect(acceptRestore({ hsm, store: owned }, { by: "alice", witness: "Alice " })).rejects.toThrow("two people");
    expect(await acceptRestore({ hsm, store: owned }, both)).toEqual({ epoch: 4 });
    expect((await (await load()).takeSealingKey(merchantId)).epoch).toBe(4);
    const { events } = await createKeyInventoryStore(stage.sql).read(10);
    expect(events.find(({ action }) => action === "restore_accepted")).toMatchObject({ actor: "alice", witness: "bob" });
  });

  test("a database that was set back and touched is not accepted by anybody", async () => {
    const restore = await snapshot();
    await rotateDataKey({ hsm, store: owned }, alice);
    await restore();
    await stage.sql`DELETE FROM data_keys WHERE purpose = 'card' AND epoch = 3`;
    await expect(acceptRestore({ hsm, store: owned }, both)).rejects.toMatchObject(changed);
  });

  test("a crash after the change and before the module knows of it is mended by the next start", async () => {
    const deaf: Hsm = { ...hsm, raiseGeneration: () => Promise.reject(new Error("the process died here")) };
    await expect(rotateDataKey({ hsm: deaf, store: owned }, alice)).rejects.toThrow("died here");
    expect(await hsm.readGeneration()).toBe(4);
    await load();
    expect(await hsm.readGeneration()).toBe(5);
  });

  test("the count of seals never falls, not even for the owner; a process that sees it fall seals no more", async () => {
    await expect(stage.sql`UPDATE data_keys SET seals_reserved = 0 WHERE epoch = 1 AND purpose = 'card'`).rejects.toMatchObject({
      code: "23514",
    });
    const reserveSeals: DataKeyStore["reserveSeals"] = async (wanted) => {
      const block = await store.reserveSeals(wanted);
      return block === undefined ? undefined : { ...block, seals: 1, sealsReserved: 1 };
    };
    const keys = await loadDataKeys({ hsm, store: { ...store, reserveSeals }, epochLifeMs: 3_600_000, now: () => 0 });
    await keys.takeSealingKey(merchantId);
    await expect(keys.takeSealingKey(merchantId)).rejects.toThrow("count of seals of epoch 3 was set back");
  });
});

describe("beside the previous release", () => {
  /** As that release writes it: a row, and no seal. */
  const addAsBefore = async (epoch: number): Promise<void> => {
    const restore = await snapshot();
    await rotateDataKey({ hsm: createSoftwareHsm({ kek: new Secret(Buffer.from(kek)), environment: "sandbox" }), store: owned }, alice);
    const [key] = await stage.sql<Record<string, string>[]>`
      SELECT purpose, epoch, wrapped_key, key_check, kek_id FROM data_keys WHERE purpose = 'card' AND epoch = ${epoch}`;
    await restore();
    await stage.sql`INSERT INTO data_keys ${stage.sql(key ?? {})}`;
  };

  test("keys without any seal are taken under one", async () => {
    await stage.sql`DELETE FROM key_ring`;
    const fresh = createSoftwareHsm({ kek: new Secret(Buffer.from(kek)), environment: "sandbox" });
    await load(fresh);
    expect(await fresh.readGeneration()).toBe(1);
    await stage.sql`DELETE FROM data_keys WHERE purpose = 'card' AND epoch = 2`;
    await expect(load(fresh)).rejects.toMatchObject(changed);
  });

  test("an epoch that it adds opens here, and comes under the seal with the next change", async () => {
    const running = await load();
    await addAsBefore(4);
    expect((await running.takeSealingKey(merchantId)).epoch).toBe(4);
    await rotateDataKey({ hsm, store: owned }, alice);
    await stage.sql`DELETE FROM data_keys WHERE purpose = 'card' AND epoch = 4`;
    await expect(load()).rejects.toMatchObject(changed);
  });

  test("an epoch that nobody could have wrapped is refused", async () => {
    await stage.sql`INSERT INTO data_keys (purpose, epoch, wrapped_key, key_check, kek_id)
      SELECT purpose, 4, wrapped_key, key_check, kek_id FROM data_keys WHERE purpose = 'card' AND epoch = 3`;
    await expect(load()).rejects.toMatchObject({ code: "internal", message: expect.stringContaining("is another one's") });
  });
});

describe("the life of a data key", () => {
  const cards = () => createResealStore(stage.sql);

  test("goes one way: the newest is not retired, what is not retired is not destroyed, what is destroyed opens nothing", async () => {
    const o = { hsm, store: owned, cards: cards() };
    const running = await load();
    await running.openingKey(merchantId, 1);
    await expect(retireDataKey(o, 3, alice)).rejects.toThrow("rotate first");
    await expect(retireDataKey(o, 9, alice)).rejects.toThrow("no epoch 9");
    await expect(destroyDataKey(o, 1, both)).rejects.toThrow("is not retired");
    await retireDataKey(o, 1, alice);
    await retireDataKey(o, 1, alice);
    await expect(destroyDataKey(o, 1, alice)).rejects.toThrow("two people");
    await destroyDataKey(o, 1, both);
    await running.refresh();
    await expect(running.openingKey(merchantId, 1)).rejects.toMatchObject({ code: "internal" });
    await expect((await load()).openingKey(merchantId, 1)).rejects.toMatchObject({ code: "internal" });
    const { keys, events } = await createKeyInventoryStore(stage.sql).read(3);
    expect(keys.map(({ purpose, epoch, state }) => `${purpose} ${epoch} ${state}`)).toEqual([
      "card 2 opens",
      "card 3 seals",
      "fingerprint 1 fingerprints",
    ]);
    expect(events.slice(0, 2)).toMatchObject([
      { action: "destroyed", actor: "alice", witness: "bob", epoch: 1 },
      { action: "retired", actor: "alice", epoch: 1 },
    ]);
  });

  test("a number that was destroyed is not given out again", async () => {
    const o = { hsm, store: owned, cards: cards() };
    await retireDataKey(o, 2, alice);
    await destroyDataKey(o, 2, both);
    expect(await rotateDataKey(o, alice)).toEqual({ epoch: 4 });
  });

  test("a card that was sealed under a key which was retired meanwhile is sealed anew and stored", async () => {
    const keys = await load();
    const maker = createTokenMaker({
      dataKeys: keys,
      codes: createSecurityCodes({ now: () => performance.now() }),
      store: createCardStore(sql),
      rules: { singleUseLifeMs: 3_600_000, graceDays: 180 },
      metrics: startTelemetry({ service: "test", otlpUrl: "", traceRatio: 0 }).metrics,
      now: Date.now,
    });
    expect((await keys.takeSealingKey(merchantId)).epoch).toBe(3);
    await rotateDataKey({ hsm, store: owned }, alice);
    await retireDataKey({ hsm, store: owned }, 3, alice);
    expect(keys.epoch).toBe(3);
    const card = { number: new Secret(Buffer.from("4242424242424242")), expMonth: 12, expYear: 2035, securityCode: undefined };
    const terms = { usage: "reusable", expiresInS: undefined } as const;
    const made = await maker.create({ merchantId, mode: "test" }, { ...card, name: "", postalCode: "", addressLine1: "" }, terms);
    expect(made.kind).toBe("created");
    expect(await stage.sql`SELECT epoch FROM cards`).toMatchObject([{ epoch: 4 }]);
  });

  test("a retirement waits for cards that are being stored, so that none of its epoch appears afterwards", async () => {
    const waiting = () => stage.sql<{ waits: boolean }[]>`
      SELECT count(*) > 0 AS waits FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    let retiring: Promise<void> | undefined;
    await sql.begin(async (transaction) => {
      await transaction`
        INSERT INTO cards (merchant_id, token_id, mode, epoch, sealed, brand, bin, last4, exp_month, exp_year, funding, fingerprint)
        VALUES (gen_random_uuid(), gen_random_uuid(), 'test', 1, decode(repeat('00', 64), 'hex'), 'visa', '424242', '4242', 12, 2035, 'credit',
          decode(repeat('00', 16), 'hex'))`;
      retiring = retireDataKey({ hsm, store: owned }, 1, alice);
      await untilTrue(async () => (await waiting())[0]?.waits === true, 5_000);
    });
    await retiring;
    await expect(destroyDataKey({ hsm, store: owned, cards: cards() }, 1, both)).rejects.toThrow("cards are sealed under epoch 1");
    await expect(sql`
      INSERT INTO cards (merchant_id, token_id, mode, epoch, sealed, brand, bin, last4, exp_month, exp_year, funding, fingerprint)
      SELECT merchant_id, gen_random_uuid(), mode, epoch, sealed, brand, bin, last4, exp_month, exp_year, funding, fingerprint FROM cards`).rejects.toMatchObject(
      {
        constraint_name: "cards_epoch_seals",
      },
    );
  });

  test("many keys are rewrapped in batches, and a rotation that was broken off goes on", async () => {
    for (let more = 0; more < 30; more++) await rotateDataKey({ hsm, store: owned }, alice);
    const next = hsmOf(randomBytes(32), kek);
    let calls = 0;
    const dying: Hsm = {
      ...next,
      wrapKey: (key) =>
        ++calls > 20 ? Promise.reject(new AppError("unavailable", "the module went away", { work: "not_done" })) : next.wrapKey(key),
    };
    await expect(rewrapDataKeys({ hsm: dying, store: owned }, alice)).rejects.toThrow("went away");
    const wrappers = async () => {
      const rows = await stage.sql<{ keks: number }[]>`SELECT count(*)::int AS keks FROM data_keys GROUP BY kek_id ORDER BY 1`;
      return rows.map(({ keks }) => keks);
    };
    expect(await wrappers()).toEqual([16, 18]);
    await load(next);
    expect(await rewrapDataKeys({ hsm: next, store: owned }, alice)).toEqual({ rewrapped: 18 });
    expect(await wrappers()).toEqual([34]);
    await expect(load(hsm)).rejects.toMatchObject({ message: expect.stringContaining("another key-encryption key") });
  });
});
