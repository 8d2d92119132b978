import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accountToRunAs } from "../src/postgres/account.ts";
import { findBinaries, reachableBinaries } from "../src/postgres/binaries.ts";
import {
  arrayLiteral,
  byteaArrayLiteral,
  connectPostgres,
  createServiceDatabase,
  dropServiceDatabase,
  endPostgres,
  runMigrations,
  type ServiceDatabase,
  type Sql,
  startEmbeddedPostgres,
  toDatabaseFault,
} from "../src/postgres/index.ts";
import { freePort, portOfNobody, type TestPostgres, temporaryFolder, testPostgres, untilTrue } from "../src/testing/index.ts";
import { startChild } from "./child.ts";

const database = "florin_kit";
const passwords = { ownerPassword: "owner's password", appPassword: "app-password" };
const migrations = fileURLToPath(new URL("./migrations", import.meta.url));

let server: TestPostgres;
let urls: ServiceDatabase;
let sql: Sql;

beforeAll(async () => {
  server = await testPostgres();
  await dropServiceDatabase({ superuserUrl: server.superuserUrl, database });
  urls = await createServiceDatabase({ superuserUrl: server.superuserUrl, database, ...passwords });
  sql = connectPostgres({ url: urls.appUrl, name: "kit", connectionsMax: 2 });
});

afterAll(async () => {
  await sql.end({ timeout: 5 });
  await server.stop();
});

describe("connectPostgres", () => {
  test("looks up no types, and prepares each statement once", async () => {
    const lean = connectPostgres({ url: urls.ownerUrl, name: "lean", connectionsMax: 1 });
    for (const n of [1, 2, 3]) await lean`SELECT ${n}::int + 1`;
    const prepared = await lean<{ statement: string }[]>`SELECT statement FROM pg_prepared_statements ORDER BY prepare_time`;
    expect(prepared.map(({ statement }) => statement)).toEqual(["SELECT $1::int + 1", expect.stringContaining("pg_prepared_statements")]);
    await lean.end();
  });

  test("a bigint column is a BigInt with every digit", async () => {
    const [row] = await sql<{ n: bigint }[]>`SELECT 9223372036854775807::bigint AS n`;
    expect(row?.n).toBe(9_223_372_036_854_775_807n);
  });

  test("array literals come back as what went in", async () => {
    const texts = ["plain", "a,b", 'say "x"', "back\\slash", "{curly}", "", " ", "null", "Zürich\n", null];
    const rows = await sql<
      { value: string | null }[]
    >`SELECT value FROM unnest(${arrayLiteral(texts)}::text[]) WITH ORDINALITY AS t (value, place) ORDER BY place`;
    expect(rows.map(({ value }) => value)).toEqual(texts);
    const bodies = [new Uint8Array([0, 1, 255]), new Uint8Array(), new TextEncoder().encode('"\\,')];
    const bytes = await sql<
      { value: Uint8Array }[]
    >`SELECT value FROM unnest(${byteaArrayLiteral(bodies)}::bytea[]) WITH ORDINALITY AS t (value, place) ORDER BY place`;
    expect(bytes.map(({ value }) => new Uint8Array(value))).toEqual(bodies);
    const numbers = await sql<
      { value: bigint }[]
    >`SELECT value FROM unnest(${arrayLiteral([1n, -5, 9_007_199_254_740_993n])}::bigint[]) AS t (value)`;
    expect(numbers.map(({ value }) => value)).toEqual([1n, -5n, 9_007_199_254_740_993n]);
  });
});

describe("toDatabaseFault", () => {
  test("a refused connection did nothing, and does not wait", async () => {
    const away = connectPostgres({ url: `postgres://u:p@127.0.0.1:${portOfNobody}/x`, name: "away", connectionsMax: 1 });
    const startedAtMs = performance.now();
    const thrown = await away`SELECT 1`.catch((caught: unknown) => caught);
    expect(toDatabaseFault(thrown)).toMatchObject({ code: "unavailable", work: "not_done" });
    expect(performance.now() - startedAtMs).toBeLessThan(3_000);
    await away.end({ timeout: 1 });
  });

  test("a session killed in the middle of a statement leaves the outcome unknown, and the pool recovers", async () => {
    const victim = connectPostgres({ url: urls.ownerUrl, name: "victim", connectionsMax: 1 });
    const superuser = connectPostgres({ url: server.superuserUrl, name: "killer", connectionsMax: 1 });
    const running = victim`SELECT pg_sleep(30)`.catch((caught: unknown) => caught);
    await untilTrue(
      async () => (await superuser`SELECT 1 FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active'`).length > 0,
      5_000,
    );
    await superuser`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'`;
    expect(toDatabaseFault(await running)).toMatchObject({ code: "unavailable", work: "unknown" });
    await untilTrue(async () => (await victim`SELECT 1 AS one`).length === 1, 5_000);
    await victim.end();
    await superuser.end();
  });

  test("a statement over its time is rolled back", async () => {
    const hasty = connectPostgres({ url: urls.appUrl, name: "hasty", connectionsMax: 1, statementTimeoutMs: 50 });
    const thrown = await hasty`SELECT pg_sleep(5)`.catch((caught: unknown) => caught);
    expect(toDatabaseFault(thrown)).toMatchObject({ code: "unavailable", work: "not_done", sqlState: "57014" });
    await hasty.end();
  });
});

describe("createServiceDatabase and runMigrations", () => {
  test("both may be repeated and run twice at once", async () => {
    const again = { superuserUrl: server.superuserUrl, database, ...passwords };
    const made = await Promise.all([createServiceDatabase(again), createServiceDatabase(again)]);
    expect(made).toEqual([urls, urls]);
    const run = { ownerUrl: urls.ownerUrl, directory: migrations, name: "kit" };
    await Promise.all([runMigrations(run), runMigrations(run), runMigrations(run)]);
    await runMigrations(run);
  });

  test("the app role may do what it was granted and nothing else", async () => {
    await sql`INSERT INTO numbers (n, note) VALUES (1, 'one')`;
    for (const statement of ["UPDATE numbers SET n = 2", "DELETE FROM numbers", "CREATE TABLE mine (x int)", "DROP TABLE numbers"]) {
      const thrown = await sql.unsafe(statement).catch((caught: unknown) => caught);
      expect(toDatabaseFault(thrown)).toMatchObject({ sqlState: "42501" });
    }
  });

  test("a violated constraint keeps its name", async () => {
    const thrown = await sql`INSERT INTO numbers (n) VALUES (-1)`.catch((caught: unknown) => caught);
    expect(toDatabaseFault(thrown)).toMatchObject({ sqlState: "23514", constraint: "numbers_positive", work: "not_done" });
  });

  test("one service's role may not enter another service's database", async () => {
    const other = { superuserUrl: server.superuserUrl, database: "florin_other", ...passwords };
    await createServiceDatabase(other);
    const stranger = connectPostgres({ url: urls.appUrl.replace(/florin_kit$/, "florin_other"), name: "stranger", connectionsMax: 1 });
    const thrown = await stranger`SELECT 1`.catch((caught: unknown) => caught);
    expect(thrown).toMatchObject({ code: "42501" });
    await stranger.end({ timeout: 1 });
    await dropServiceDatabase(other);
  });

  test("a broken migration says which statement, and leaves nothing behind", async () => {
    const directory = temporaryFolder();
    const broken = "florin_broken";
    const made = await createServiceDatabase({ superuserUrl: server.superuserUrl, database: broken, ...passwords });
    writeFileSync(join(directory, "0001_broken.sql"), "-- Up Migration\nCREATE TABLE kept_not (x int);\nSELECT nonsense;\n");
    await expect(runMigrations({ ownerUrl: made.ownerUrl, directory, name: "broken" })).rejects.toThrow(/migrations of broken failed/);
    const owner = connectPostgres({ url: made.ownerUrl, name: "look", connectionsMax: 1 });
    const [row] = await owner<{ kept: string | null }[]>`SELECT to_regclass('kept_not')::text AS kept`;
    expect(row?.kept).toBeNull();
    await owner.end();
    await dropServiceDatabase({ superuserUrl: server.superuserUrl, database: broken });
  });
});

describe("a pool whose server crashed under its statements", () => {
  test("works again by itself, and ends without waiting for what was lost", async (context) => {
    const { crash } = server;
    if (crash === undefined) return context.skip("the server is not ours");
    const pool = connectPostgres({ url: urls.appUrl, name: "crashed", connectionsMax: 2 });
    const busy = Array.from({ length: 2 }, () => pool`SELECT pg_sleep(20)`.catch((thrown: unknown) => toDatabaseFault(thrown)));
    const running = () => sql`SELECT pid FROM pg_stat_activity WHERE application_name = 'crashed' AND state = 'active'`;
    await untilTrue(async () => (await running()).length === 2, 5_000);
    await crash();
    for (const fault of await Promise.all(busy)) expect(fault).toMatchObject({ code: "unavailable", work: "unknown" });
    await untilTrue(async () => (await pool`SELECT 1`).length === 1, 5_000);
    const startedMs = performance.now();
    await endPostgres(pool);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });
});

describe.skipIf((process.env["FLORIN_TEST_DATABASE_URL"] ?? "") !== "")("startEmbeddedPostgres", () => {
  test("data survives stop and start, and durability is on", async () => {
    const directory = join(temporaryFolder(), "data");
    const port = await freePort();
    const first = await startEmbeddedPostgres({ directory, port, initWithoutSync: true });
    const before = connectPostgres({ url: first.superuserUrl, name: "x", connectionsMax: 1 });
    await before`CREATE TABLE kept (x int)`;
    const [settings] =
      await before`SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit, current_setting('max_wal_size') AS wal, current_setting('unix_socket_directories') AS sockets`;
    // No socket: its folder would be a shared one, and what one account left there would keep another's server from starting.
    expect(settings).toEqual({ fsync: "on", commit: "on", wal: "4GB", sockets: "" });
    await before.end();
    await first.stop();
    await first.stop();
    const second = await startEmbeddedPostgres({ directory, port, settings: { max_wal_size: "1GB" } });
    const after = connectPostgres({ url: second.superuserUrl, name: "x", connectionsMax: 1 });
    const [row] = await after`SELECT to_regclass('kept')::text AS kept, current_setting('max_wal_size') AS wal`;
    expect(row).toEqual({ kept: "kept", wal: "1GB" });
    await after.end();
    await second.stop();
  });

  test("a server that outlived a killed parent is used again on the same port, and replaced on another", async () => {
    const directory = join(temporaryFolder(), "data");
    const port = await freePort();
    const owner = startChild("embedded-owner", [directory, String(port)]);
    await untilTrue(() => owner.lines.length > 0, 30_000);
    owner.process.kill("SIGKILL");
    await owner.ended;
    const adopted = await startEmbeddedPostgres({ directory, port });
    expect(adopted.pid).toBe(Number(owner.lines[0]));
    const moved = await startEmbeddedPostgres({ directory, port: await freePort() });
    expect(moved.pid).not.toBe(adopted.pid);
    const sqlMoved = connectPostgres({ url: moved.superuserUrl, name: "x", connectionsMax: 1 });
    await sqlMoved`SELECT 1`;
    await sqlMoved.end();
    await moved.stop();
  });

  test("a folder whose server is kept by another living process is refused", async () => {
    const directory = join(temporaryFolder(), "data");
    const port = await freePort();
    const owner = startChild("embedded-owner", [directory, String(port)]);
    await untilTrue(() => owner.lines.length > 0, 30_000);
    await expect(startEmbeddedPostgres({ directory, port: await freePort() })).rejects.toThrow(
      `the process ${owner.process.pid} runs a PostgreSQL`,
    );
    owner.process.kill("SIGKILL");
    await owner.ended;
    const adopted = await startEmbeddedPostgres({ directory, port });
    await adopted.stop();
  });

  test("a crashed server's leftover postmaster.pid does not keep it from starting", async () => {
    const directory = join(temporaryFolder(), "data");
    const port = await freePort();
    const first = await startEmbeddedPostgres({ directory, port, initWithoutSync: true });
    await first.stop();
    // The id of a living process that is no PostgreSQL: ours.
    writeFileSync(join(directory, "postmaster.pid"), `${process.pid}\n${directory}\n1\n${port}\n/tmp\n127.0.0.1\n1 1\nready\n`);
    const second = await startEmbeddedPostgres({ directory, port });
    expect(second.pid).not.toBe(process.pid);
    await second.stop();
  });

  test("the passwords of a service's roles are in no log, however much the server logs", async () => {
    const lines: string[] = [];
    const talkative = await startEmbeddedPostgres({
      directory: join(temporaryFolder(), "data"),
      port: await freePort(),
      initWithoutSync: true,
      settings: { log_statement: "all", log_min_duration_statement: "0", log_min_messages: "log" },
      onLog: (line) => lines.push(line),
    });
    const options = { superuserUrl: talkative.superuserUrl, database, ownerPassword: "sesame-owner", appPassword: "sesame-app" };
    await Promise.all([createServiceDatabase(options), createServiceDatabase(options)]);
    await createServiceDatabase(options);
    await untilTrue(() => lines.filter((line) => line.includes("pg_advisory_lock")).length >= 3, 5_000);
    await talkative.stop();
    expect(lines.filter((line) => line.includes("sesame") || line.includes("ERROR"))).toEqual([]);
  });

  // Only root needs an account of its own for PostgreSQL.
  test.runIf(process.getuid?.() === 0)("PostgreSQL's account runs the programs of a checkout that it may not enter", async () => {
    const account = accountToRunAs();
    const closed = join(temporaryFolder(), "closed");
    const source = dirname(dirname(dirname((await findBinaries()).postgres)));
    const home = join(closed, "package");
    cpSync(source, home, { recursive: true, verbatimSymlinks: true });
    chmodSync(closed, 0o700);
    const inside = { initdb: join(home, "native", "bin", "initdb"), postgres: join(home, "native", "bin", "postgres") };
    const copy = reachableBinaries(inside, account, temporaryFolder());
    const data = join(temporaryFolder(), "data");
    mkdirSync(data, { mode: 0o700 });
    chownSync(data, account?.uid ?? 0, account?.gid ?? 0);
    const run = (file: string): Buffer => execFileSync(file, ["--no-sync", "-D", data], { ...account, cwd: data, stdio: "pipe" });
    expect(() => run(inside.initdb)).toThrow(/EACCES/);
    run(copy.initdb);
    expect(existsSync(join(data, "PG_VERSION"))).toBe(true);
  });

  test("data of another major version is refused with a way out", async () => {
    const directory = join(temporaryFolder(), "data");
    const first = await startEmbeddedPostgres({ directory, port: await freePort(), initWithoutSync: true });
    await first.stop();
    writeFileSync(join(directory, "PG_VERSION"), "9\n");
    await expect(startEmbeddedPostgres({ directory, port: await freePort() })).rejects.toThrow(/was made by PostgreSQL 9/);
    rmSync(directory, { recursive: true });
  });
});
