/**
 * One database per service, with two roles: `<database>_owner` runs migrations, `<database>_app` is what the process uses.
 *
 * The app role owns nothing and may only do what the migrations grant it. Nobody else may connect.
 */
import { assert } from "@florin/kernel";
import { connectPostgres, type Sql } from "./connect.ts";

export type ServiceDatabase = { readonly ownerUrl: string; readonly appUrl: string };

const namePattern = /^[a-z][a-z0-9_]{0,55}$/;
/** "florin" in ASCII, shortened to 31 bits; PostgreSQL keeps advisory locks per database. */
const setupLock = 0x66_6c_6f_72;
/** duplicate_object, duplicate_database, unique_violation: another process was faster. */
const alreadyThere: ReadonlySet<string> = new Set(["42710", "42P04", "23505"]);

/** Makes the roles and the database where they are missing and sets both passwords, which no server log sees; safe to repeat. */
export async function createServiceDatabase(options: {
  superuserUrl: string;
  database: string;
  ownerPassword: string;
  appPassword: string;
}): Promise<ServiceDatabase> {
  const { database } = options;
  assert(namePattern.test(database), "a database name is lower case letters, digits and underscores");
  const owner = `${database}_owner`;
  const app = `${database}_app`;
  await withSuperuser(options.superuserUrl, async (sql) => {
    // Two starts at once would trip over the same rows of the catalogue. Released with the session.
    await sql`SELECT pg_advisory_lock(${setupLock})`;
    await keepOutOfLogs(sql);
    await createRole(sql, owner, options.ownerPassword);
    await createRole(sql, app, options.appPassword);
    // Index: pg_database_datname_index. Asked first, so that an ordinary start leaves no error in the server's log.
    const [made] = await sql`SELECT 1 FROM pg_database WHERE datname = ${database}`;
    if (made === undefined) await ignoreExisting(sql.unsafe(`CREATE DATABASE ${database} OWNER ${owner}`));
    await sql.unsafe(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
    await sql.unsafe(`GRANT CONNECT ON DATABASE ${database} TO ${app}`);
  });
  return {
    ownerUrl: urlFor(options.superuserUrl, database, owner, options.ownerPassword),
    appUrl: urlFor(options.superuserUrl, database, app, options.appPassword),
  };
}

/** Drops the database with all that is in it, throwing its users out; the roles stay. For tests and `--fresh`. Safe to repeat. */
export async function dropServiceDatabase(options: { superuserUrl: string; database: string }): Promise<void> {
  assert(namePattern.test(options.database), "a database name is lower case letters, digits and underscores");
  await withSuperuser(options.superuserUrl, async (sql) => {
    await sql.unsafe(`DROP DATABASE IF EXISTS ${options.database} WITH (FORCE)`);
  });
}

async function withSuperuser(url: string, work: (sql: Sql) => Promise<void>): Promise<void> {
  const sql = connectPostgres({ url, name: "florin-setup", connectionsMax: 1 });
  try {
    await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** A server logs the text of statements that fail, and of all of them where its operator says so; ours hold passwords. For this session. */
async function keepOutOfLogs(sql: Sql): Promise<void> {
  for (const setting of ["log_statement = 'none'", "log_min_error_statement = 'panic'", "log_min_duration_statement = -1"])
    await sql.unsafe(`SET ${setting}`);
}

async function createRole(sql: Sql, role: string, password: string): Promise<void> {
  const login = `LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD ${quoteLiteral(password)}`;
  // Index: pg_authid_rolname_index.
  const [made] = await sql`SELECT 1 FROM pg_roles WHERE rolname = ${role}`;
  if (made === undefined) await ignoreExisting(sql.unsafe(`CREATE ROLE ${role} ${login}`));
  await sql.unsafe(`ALTER ROLE ${role} ${login}`);
}

/** Utility statements take no parameters, so the password is quoted here. */
function quoteLiteral(text: string): string {
  assert(!text.includes("\0") && !text.includes("\\"), "a password has no backslash and no NUL");
  return `'${text.replaceAll("'", "''")}'`;
}

async function ignoreExisting(statement: PromiseLike<unknown>): Promise<void> {
  try {
    await statement;
  } catch (thrown) {
    if (!(thrown instanceof Error && "code" in thrown && alreadyThere.has(String(thrown.code)))) throw thrown;
  }
}

function urlFor(superuserUrl: string, database: string, role: string, password: string): string {
  const url = new URL(superuserUrl);
  url.username = encodeURIComponent(role);
  url.password = encodeURIComponent(password);
  url.pathname = `/${database}`;
  return url.toString();
}
