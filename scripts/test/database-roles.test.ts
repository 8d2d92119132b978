/**
 * Every role of a stack, tried on every database, table, column, sequence and function with every verb: only docs/database-roles.md succeeds.
 *
 * PostgreSQL checks rights before anything else of a statement, so a statement that would fail for another reason still tells whether it was
 * allowed: refused is SQLSTATE 42501 and nothing else. Each is rolled back.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { type TestPostgres, testPostgres } from "@florin/runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Columns, databaseGrid } from "../docs/database-grid.ts";
import { type DatabaseName, databaseNames } from "../up/database-names.ts";
import { type DatabaseUrls, prepareDatabases } from "../up/databases.ts";
import { loadSecrets } from "../up/secrets.ts";

const directory = mkdtempSync(join(tmpdir(), "florin-roles-"));
const insufficientPrivilege = "42501";
let server: TestPostgres;
let urls: DatabaseUrls;

beforeAll(async () => {
  server = await testPostgres();
  urls = await prepareDatabases(server.superuserUrl, loadSecrets(directory));
});

afterAll(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe("connecting", () => {
  const maintenance = process.env["FLORIN_TEST_DATABASE_URL"] ? [] : ["postgres", "template1"];

  test.each(databaseNames)("the two roles of %s get into no other database", async (own) => {
    const others = [...databaseNames.filter((name) => name !== own), ...maintenance];
    for (const url of [urls[own].appUrl, urls[own].ownerUrl]) {
      expect(await connectionTo(url, own)).toBe("connected");
      for (const other of others) expect([other, await connectionTo(url, other)]).toEqual([other, insufficientPrivilege]);
    }
  });

  test("no role of ours is privileged, or is a member of another", async () => {
    const rows = await asked(
      server.superuserUrl,
      (sql) => sql`
        SELECT rolname FROM pg_roles r WHERE rolname LIKE 'florin\\_%'
          AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
            OR EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = r.oid OR m.roleid = r.oid))`,
    );
    expect(rows).toEqual([]);
  });
});

describe.each(databaseNames)("in %s", (database) => {
  const rights = databaseGrid[database];
  let catalogue: Catalogue;
  beforeAll(async () => {
    catalogue = await readCatalogue(ownersUrl(database));
  });

  test("the application role may do with tables what the grid says, column by column, and nothing else", async () => {
    expect(Object.keys(rights.tables).filter((name) => !catalogue.tables.has(name))).toEqual([]);
    const statements = [...catalogue.tables].flatMap(([table, columns]) => tableStatements(table, columns, rights.tables[table] ?? {}));
    expect(statements.length).toBeGreaterThan(10);
    expect(await breachesOf(urls[database].appUrl, statements)).toEqual([]);
  });

  test("the application role may call and count what the grid says, and nothing else", async () => {
    const functions = catalogue.functions.map(({ name, call }) => ({ text: `SELECT ${call}`, isAllowed: name in rights.functions }));
    const sequences = catalogue.sequences.flatMap((name) => [
      { text: `SELECT last_value FROM ${name}`, isAllowed: rights.sequences[name]?.includes("select") === true },
      { text: `SELECT nextval('${name}')`, isAllowed: rights.sequences[name]?.includes("usage") === true },
      { text: `SELECT setval('${name}', 1)`, isAllowed: false },
    ]);
    const known = new Set(catalogue.functions.map(({ name }) => name));
    expect(Object.keys(rights.functions).filter((name) => !known.has(name))).toEqual([]);
    expect(await breachesOf(urls[database].appUrl, [...functions, ...sequences])).toEqual([]);
  });

  test("the application role makes nothing, becomes nobody, and sees nothing of the server", async () => {
    const [table] = [...catalogue.tables.keys()];
    const texts = [
      "CREATE TABLE public.loot (x int)",
      "CREATE TEMPORARY TABLE loot (x int)",
      "CREATE SCHEMA loot",
      "CREATE FUNCTION public.loot() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      `ALTER TABLE ${table} ADD COLUMN loot int`,
      `ALTER TABLE ${table} DISABLE TRIGGER ALL`,
      `DROP TABLE ${table}`,
      `GRANT SELECT ON ${table} TO PUBLIC`,
      `SET ROLE ${database}_owner`,
      "CREATE ROLE loot",
      `ALTER ROLE ${database}_app SUPERUSER`,
      "SET session_replication_role = replica",
      "SELECT * FROM pg_authid",
      "SELECT pg_read_file('PG_VERSION')",
      "SELECT pg_ls_dir('.')",
      "COPY (SELECT 1) TO PROGRAM 'true'",
      "COPY (SELECT 1) TO '/tmp/loot'",
      "SELECT lo_import('/etc/passwd')",
    ];
    const statements = texts.map((text) => ({ text, isAllowed: false }));
    expect(await breachesOf(urls[database].appUrl, statements)).toEqual([]);
  });
});

test("the trials themselves notice a right too much and a right too little", async () => {
  const statements = [
    { text: "SELECT kind FROM fraud_blocks", isAllowed: false },
    { text: "DELETE FROM fraud_blocks", isAllowed: true },
    { text: "SELECT kind FROM fraud_blocks", isAllowed: true },
  ];
  expect(await breachesOf(urls.florin_switch.appUrl, statements)).toEqual([
    "allowed: SELECT kind FROM fraud_blocks",
    "refused: DELETE FROM fraud_blocks",
  ]);
});

type Statement = { readonly text: string; readonly isAllowed: boolean };
type TryRights = { readonly select?: Columns; readonly insert?: Columns; readonly update?: Columns; readonly delete?: true };

const covers = (columns: Columns | undefined, column: string): boolean => columns === "all" || columns?.includes(column) === true;

/** DEFAULT and WHERE false need no right to read, so each statement asks for one right alone. */
function tableStatements(table: string, columns: readonly string[], rights: TryRights): readonly Statement[] {
  return [
    ...columns.flatMap((column) => [
      { text: `SELECT "${column}" FROM ${table} LIMIT 0`, isAllowed: covers(rights.select, column) },
      { text: `INSERT INTO ${table} ("${column}") VALUES (DEFAULT)`, isAllowed: covers(rights.insert, column) },
      { text: `UPDATE ${table} SET "${column}" = DEFAULT WHERE false`, isAllowed: covers(rights.update, column) },
      { text: `ALTER TABLE ${table} ADD FOREIGN KEY ("${column}") REFERENCES ${table} ("${column}")`, isAllowed: false },
    ]),
    { text: `DELETE FROM ${table} WHERE false`, isAllowed: rights.delete === true },
    { text: `TRUNCATE ${table}`, isAllowed: false },
    {
      text: `CREATE TRIGGER loot BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
      isAllowed: false,
    },
  ];
}

/** Whatever is allowed and should not be, or the other way round. */
async function breachesOf(url: string, statements: readonly Statement[]): Promise<readonly string[]> {
  return asked(url, async (sql) => {
    const breaches: string[] = [];
    for (const { text, isAllowed } of statements) {
      const wasAllowed = (await outcomeOf(sql, text)) !== insufficientPrivilege;
      if (wasAllowed !== isAllowed) breaches.push(`${wasAllowed ? "allowed" : "refused"}: ${text}`);
    }
    return breaches;
  });
}

const undo = Symbol("undo");

async function outcomeOf(sql: Sql, text: string): Promise<string> {
  try {
    await sql.begin(async (one) => {
      await one.unsafe(text);
      throw undo;
    });
    return "committed";
  } catch (thrown) {
    return thrown === undo ? "done" : sqlStateOf(thrown);
  }
}

async function connectionTo(url: string, database: string): Promise<string> {
  const other = new URL(url);
  other.pathname = `/${database}`;
  try {
    await asked(other.toString(), (sql) => sql`SELECT 1`);
    return "connected";
  } catch (thrown) {
    return sqlStateOf(thrown);
  }
}

function sqlStateOf(thrown: unknown): string {
  if (thrown instanceof Error && "code" in thrown) return String(thrown.code);
  throw thrown;
}

type Catalogue = {
  /** Partitions too: they are to have no rights of their own. */
  readonly tables: ReadonlyMap<string, readonly string[]>;
  readonly sequences: readonly string[];
  readonly functions: readonly { readonly name: string; readonly call: string }[];
};

/** Everything in the database that is not PostgreSQL's own. */
function readCatalogue(url: string): Promise<Catalogue> {
  return asked(url, async (sql) => {
    const columns = await sql<{ name: string; column: string }[]>`
      SELECT c.oid::regclass::text AS name, a.attname::text AS column
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`;
    const sequences = await sql<{ name: string }[]>`
      SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'S' AND relnamespace::regnamespace::text NOT IN ('pg_catalog')`;
    const functions = await sql<{ name: string; call: string }[]>`
      SELECT proname::text AS name, oid::regproc::text || '(' || coalesce((
        SELECT string_agg('NULL::' || format_type(type, NULL), ', ' ORDER BY place) FROM unnest(proargtypes) WITH ORDINALITY AS t (type, place)), '') || ')' AS call
      FROM pg_proc WHERE pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')`;
    const tables = new Map<string, string[]>();
    for (const { name, column } of columns) tables.set(name, [...(tables.get(name) ?? []), column]);
    return { tables, sequences: sequences.map(({ name }) => name), functions };
  });
}

function ownersUrl(database: DatabaseName): string {
  return urls[database].ownerUrl;
}

async function asked<T>(url: string, work: (sql: Sql) => PromiseLike<T>): Promise<T> {
  const sql = connectPostgres({ url, name: "florin-roles", connectionsMax: 1 });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
