/** Keys and epochs on a real database: rotation, hard stop, swaps, a wrong key-encryption key, and what the process's role may do. */
import { randomBytes } from "node:crypto";
import { Secret } from "@florin/kernel";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { open, seal } from "../src/app/card-cipher.ts";
import { type DataKeys, loadDataKeys } from "../src/app/data-keys.ts";
import { createSoftwareHsm } from "../src/hsm/software.ts";
import { createDataKeyStore, type DataKeyStore } from "../src/store/data-keys.ts";
import { newId, openStage, type Stage, startVault } from "./stage.ts";

const kekBytes = randomBytes(32);
const hsmOf = (bytes: Buffer) => createSoftwareHsm({ kek: new Secret(Buffer.from(bytes)), environment: "sandbox" });
const hourMs = 3_600_000;
const blockSize = 4_096;
const merchantId = newId("merchant");

let stage: Stage;
let sql: Sql;

beforeAll(async () => {
  stage = await openStage();
  sql = connectPostgres({ url: stage.appUrl, name: "test", connectionsMax: 4 });
});

beforeEach(async () => {
  await stage.sql`TRUNCATE data_keys, key_ring`;
});

afterAll(async () => {
  await sql?.end({ timeout: 5 });
  await stage?.close();
});

type LoadOptions = { sealsPerEpochMax?: number; epochLifeMs?: number; kek?: Buffer; now?: () => number; store?: DataKeyStore };

function load(o: LoadOptions = {}): Promise<DataKeys> {
  return loadDataKeys({
    hsm: hsmOf(o.kek ?? kekBytes),
    store: o.store ?? createDataKeyStore(sql),
    epochLifeMs: o.epochLifeMs ?? hourMs,
    now: o.now ?? (() => performance.now()),
    ...(o.sealsPerEpochMax === undefined ? {} : { sealsPerEpochMax: o.sealsPerEpochMax }),
  });
}

const binding = Buffer.from("bound to this");
const plain = Buffer.from("a card");

describe("data keys", () => {
  test("two processes that start at once in an empty database agree on every key", async () => {
    const [first, second] = await Promise.all([load(), load()]);
    const [sealing, other] = await Promise.all([first.takeSealingKey(merchantId), second.takeSealingKey(merchantId)]);
    expect([sealing.epoch, other.epoch]).toEqual([1, 1]);
    expect(open(await second.openingKey(merchantId, 1), binding, seal(sealing.key, binding, plain))).toEqual(plain);
    expect(first.fingerprintKey(merchantId).equals(second.fingerprintKey(merchantId))).toBe(true);
  });

  test("a process that finds no epoch takes the one that another makes meanwhile, and makes no second one", async () => {
    const faster = await load();
    const store = createDataKeyStore(sql);
    const slower = await load({
      store: {
        ...store,
        async reserveSeals(wanted) {
          const block = await store.reserveSeals(wanted);
          // Between its question and what it makes of the answer.
          if (block === undefined) await faster.takeSealingKey(merchantId);
          return block;
        },
      },
    });
    expect((await slower.takeSealingKey(merchantId)).epoch).toBe(1);
    const [row] = await stage.sql<{ epochs: number }[]>`SELECT count(*)::int AS epochs FROM data_keys WHERE purpose = 'card'`;
    expect(row?.epochs).toBe(1);
  });

  test("are other ones for every merchant, epoch and purpose", async () => {
    const keys = await load({ sealsPerEpochMax: blockSize });
    await keys.takeSealingKey(merchantId);
    await stage.sql`UPDATE data_keys SET seals_reserved = ${blockSize} WHERE purpose = 'card'`;
    const later = await load({ sealsPerEpochMax: blockSize });
    expect((await later.takeSealingKey(merchantId)).epoch).toBe(2);
    const all = [
      await later.openingKey(merchantId, 1),
      await later.openingKey(merchantId, 2),
      await later.openingKey(newId("merchant"), 1),
      later.fingerprintKey(merchantId),
    ];
    expect(new Set(all.map((key) => key.export().toString("hex"))).size).toBe(4);
  });

  test("an epoch ends with its last seal; what it sealed opens for ever, also in a process that did not know the new one", async () => {
    const [keys, bystander] = await Promise.all([load({ sealsPerEpochMax: blockSize }), load({ sealsPerEpochMax: blockSize })]);
    const first = await keys.takeSealingKey(merchantId);
    const sealed = seal(first.key, binding, plain);
    for (let number = 1; number < blockSize; number++) expect((await keys.takeSealingKey(merchantId)).epoch).toBe(1);
    const next = await keys.takeSealingKey(merchantId);
    expect([next.epoch, keys.epoch]).toEqual([2, 2]);
    expect(open(await keys.openingKey(merchantId, 1), binding, sealed)).toEqual(plain);
    expect(open(await bystander.openingKey(merchantId, 2), binding, seal(next.key, binding, plain))).toEqual(plain);
    await expect(bystander.openingKey(merchantId, 9)).rejects.toMatchObject({ code: "internal", work: "not_done" });
  });

  test("no more than 2^31 seals are handed out under one epoch: the store and the table itself refuse", async () => {
    const keys = await load();
    await keys.takeSealingKey(merchantId);
    await stage.sql`UPDATE data_keys SET seals_reserved = ${2 ** 31 - blockSize + 1} WHERE purpose = 'card'`;
    const late = await load();
    expect((await late.takeSealingKey(merchantId)).epoch).toBe(2);
    await expect(sql`UPDATE data_keys SET seals_reserved = ${2 ** 31 + 1} WHERE epoch = 1 AND purpose = 'card'`).rejects.toMatchObject({
      code: "23514",
    });
  });

  test("two processes never share a block of seals", async () => {
    const processes = await Promise.all(Array.from({ length: 4 }, () => load()));
    await Promise.all(processes.map((keys) => keys.takeSealingKey(merchantId)));
    const [row] = await stage.sql<
      { reserved: bigint }[]
    >`SELECT sum(seals_reserved)::bigint AS reserved FROM data_keys WHERE purpose = 'card'`;
    expect(Number(row?.reserved)).toBe(4 * blockSize);
  });

  test("an epoch ends with its time, also in a process that still has seals of it", async () => {
    let nowMs = 0;
    let isOver = false;
    const store = createDataKeyStore(sql);
    const reserveSeals: DataKeyStore["reserveSeals"] = (wanted) => {
      const lifeMsMax = isOver ? 0 : wanted.lifeMsMax;
      isOver = false;
      return store.reserveSeals({ ...wanted, lifeMsMax });
    };
    const keys = await load({ now: () => nowMs, store: { ...store, reserveSeals } });
    expect((await keys.takeSealingKey(merchantId)).epoch).toBe(1);
    nowMs = hourMs + 1;
    isOver = true;
    expect((await keys.takeSealingKey(merchantId)).epoch).toBe(2);
  });

  test("wrapped keys swapped between two epochs are noticed at the start", async () => {
    const keys = await load({ sealsPerEpochMax: blockSize });
    for (let number = 0; number <= blockSize; number++) await keys.takeSealingKey(merchantId);
    await stage.sql`UPDATE data_keys a SET wrapped_key = b.wrapped_key FROM data_keys b
      WHERE a.purpose = 'card' AND b.purpose = 'card' AND a.epoch + b.epoch = 3 AND a.epoch <> b.epoch`;
    await expect(load()).rejects.toMatchObject({ code: "internal", message: expect.stringContaining("not as they were left") });
  });

  test("another key-encryption key opens nothing, and the process does not start with it", async () => {
    await (await load()).takeSealingKey(merchantId);
    await expect(load({ kek: randomBytes(32) })).rejects.toMatchObject({
      code: "internal",
      message: expect.stringContaining("another key-encryption key"),
    });
    await expect(startVault(stage, { FLORIN_KEK: "99".repeat(32) })).rejects.toThrow(/cannot start/);
  });

  test("no key stands in the database in clear", async () => {
    const keys = await load();
    const { key } = await keys.takeSealingKey(merchantId);
    const secrets = [kekBytes, key.export(), keys.fingerprintKey(merchantId).export()].map((bytes) => bytes.toString("hex"));
    const rows = await stage.sql<{ row: string }[]>`SELECT k::text AS row FROM data_keys k`;
    expect(rows).toHaveLength(2);
    for (const { row } of rows) for (const secret of secrets) expect(row).not.toContain(secret);
  });
});

test("production refuses the software key store", async () => {
  await expect(startVault(stage, { FLORIN_ENVIRONMENT: "production" })).rejects.toThrow(/refused in production/);
});

describe("the process's role", () => {
  const denied = { code: "42501" };

  test("can neither change nor remove a card, a key or an access", async () => {
    for (const table of ["cards", "access_log", "access_batches", "publishable_keys", "data_keys", "key_ring", "key_events"]) {
      await expect(sql.unsafe(`DELETE FROM ${table}`)).rejects.toMatchObject(denied);
      await expect(sql.unsafe(`TRUNCATE ${table}`)).rejects.toMatchObject(denied);
    }
    await expect(sql`UPDATE cards SET exp_year = 2099`).rejects.toMatchObject(denied);
    await expect(sql`UPDATE access_batches SET records = 1`).rejects.toMatchObject(denied);
    await expect(sql`UPDATE access_log SET purpose = 'x'`).rejects.toMatchObject(denied);
    await expect(sql`UPDATE data_keys SET wrapped_key = '\\x00'`).rejects.toMatchObject(denied);
    await expect(sql`UPDATE data_keys SET retired_at = now()`).rejects.toMatchObject(denied);
    await expect(sql`SELECT 1 FROM key_events`).rejects.toMatchObject(denied);
    await expect(sql`INSERT INTO key_events (actor, witness, action) VALUES ('a', 'b', 'destroyed')`).rejects.toMatchObject(denied);
    await expect(sql`SELECT 1 FROM access_log`).rejects.toMatchObject(denied);
    await expect(
      sql`INSERT INTO publishable_keys (key_hash, merchant_id, mode) VALUES ('\\x00', gen_random_uuid(), 'test')`,
    ).rejects.toMatchObject(denied);
    await expect(sql`CREATE TABLE mine (x int)`).rejects.toMatchObject(denied);
  });

  test("can have room made in the access log, once", async () => {
    await sql`SELECT make_access_log_partitions(5)`;
    const [again] = await sql<{ made: number }[]>`SELECT make_access_log_partitions(5) AS made`;
    expect(again?.made).toBe(0);
    const rows = await stage.sql`SELECT 1 FROM pg_inherits WHERE inhparent = 'access_log'::regclass`;
    expect(rows).toHaveLength(6);
  });
});
