/**
 * Whether the databases of a server belong to the keys of this stack.
 *
 * Cards are encrypted and API keys are hashed under the keys in `secrets.json`. With other keys the data cannot be read, and setting the
 * passwords of the roles anew would throw out a stack that runs on it. So each database carries, as its comment, a mark of the keys
 * that it was made with.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import { databaseNames } from "./database-names.ts";
import type { StackSecrets } from "./secrets.ts";

const prefix = "florin stack ";
/** A port whose listener hangs up, or says nothing, is asked again and again; up must not stand still there. */
const answerTimeoutMs = 10_000;

/** Tells the keys apart and nothing about them: they have 256 bits each. */
export function keyMarkOf(secrets: Pick<StackSecrets, "apiKeyPepper" | "keyEncryptionKey">): string {
  return prefix + createHash("sha256").update(`${secrets.apiKeyPepper} ${secrets.keyEncryptionKey}`).digest("hex").slice(0, 16);
}

/** Throws when one of our databases is there with another mark. One without a mark is taken as ours. */
export async function assertKeysFit(superuserUrl: string, mark: string): Promise<void> {
  const marks = await withServer(superuserUrl, (sql) => readMarks(sql));
  if (marks.some((found) => found.startsWith(prefix) && found !== mark))
    throw new Error(
      "the data in PostgreSQL belongs to other keys than those in secrets.json: it is another directory's stack, or that file was lost." +
        " Use the directory it belongs to, put the file back, or wipe the data with --fresh",
    );
}

/** Safe to repeat. */
export async function markKeys(superuserUrl: string, mark: string): Promise<void> {
  await withServer(superuserUrl, async (sql) => {
    // A utility statement takes no parameters; names are constants and the mark is hexadecimal.
    for (const name of databaseNames) await sql.unsafe(`COMMENT ON DATABASE ${name} IS '${mark}'`);
  });
}

/** Throws a sentence about DATABASE_URL, without its password, when it cannot be used. */
export async function assertSuperuser(url: string): Promise<void> {
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol))
    throw new Error("DATABASE_URL is not a URL like postgres://user:password@host:5432/postgres");
  const isSuperuser = await withServer(url, (sql) => Promise.race([askIfSuperuser(sql), noAnswer()])).catch((thrown: unknown) => {
    throw new Error(`the PostgreSQL of DATABASE_URL cannot be used: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
      cause: thrown,
    });
  });
  if (!isSuperuser) throw new Error("DATABASE_URL needs a superuser: up makes roles and databases with it");
}

async function askIfSuperuser(sql: Sql): Promise<boolean> {
  // Index: pg_authid_rolname_index.
  const [row] = await sql<{ rolsuper: boolean }[]>`SELECT rolsuper FROM pg_roles WHERE rolname = current_user`;
  return row?.rolsuper === true;
}

async function noAnswer(): Promise<never> {
  await sleep(answerTimeoutMs, undefined, { ref: false });
  throw new Error(`no PostgreSQL answered within ${answerTimeoutMs} ms`);
}

async function readMarks(sql: Sql): Promise<readonly string[]> {
  // Index: pg_database_datname_index, pg_shdescription_o_c_index.
  const rows = await sql<{ mark: string | null }[]>`
    SELECT shobj_description(oid, 'pg_database') AS mark FROM pg_database WHERE datname IN ${sql([...databaseNames])}`;
  return rows.flatMap(({ mark }) => mark ?? []);
}

async function withServer<T>(url: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = connectPostgres({ url, name: "florin-up", connectionsMax: 1 });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
