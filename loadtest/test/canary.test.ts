/**
 * No process but vault and connectors ever holds a card number: canary numbers go through the whole stack, then everything that the
 * stack wrote or holds outside those two is searched for them, as text, as hex and as base64.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { Redis } from "ioredis";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { authorizeBody, call, hasFullProfile, type Stack, startStack, tokenize, untilTrue } from "./stack.ts";

/** Test numbers that nothing else in the stack uses; a real one has no place in a test (PCI DSS 6.5.5). */
const canaries = ["5200828282828210", "6011000990139424", "3566002020360505", "4000000000009987"];
const canaryCode = "917";

let stack: Stack;
const onStack = test.skipIf(!hasFullProfile);

beforeAll(async () => {
  if (!hasFullProfile) return;
  const snapshots = { NODE_OPTIONS: "--heapsnapshot-signal=SIGUSR2" };
  stack = await startStack({ profile: "full", env: snapshots });
  for (const number of canaries) {
    const token = await tokenize(stack, number, canaryCode);
    const answer = await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ payment_method: { type: "card", token } }));
    expect([201, 402]).toContain(answer.status);
    if (answer.status !== 201) continue;
    await call(stack, "POST", `/v1/payments/${answer.body["id"]}/capture`, { amount: 5_000 });
    await call(stack, "POST", `/v1/payments/${answer.body["id"]}/refund`, { reason: "canary" });
  }
  // Mistakes that a merchant's developer makes: a card number where none belongs is refused without an echo.
  const number = canaries[0] as string;
  await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ payment_method: { type: "card", token: number } }));
  await call(stack, "POST", "/v1/payments/authorize", authorizeBody({ card: { number } }));
});

afterAll(async () => {
  await stack?.stop();
});

const spellings = [...canaries].flatMap((number) => [
  number,
  Buffer.from(number).toString("hex"),
  Buffer.from(number).toString("base64").replace(/=+$/, ""),
]);

function hitsIn(bytes: Buffer): string[] {
  return spellings.filter((spelling) => bytes.includes(spelling)).map((spelling) => `…${spelling.slice(-4)}`);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

test("the search itself finds a number when there is one", () => {
  expect(hitsIn(Buffer.from(`{"number":"${canaries[0]}"}`))).toHaveLength(1);
});

onStack("no log line of any process has a card number", () => {
  const logs = filesBelow(stack.directory).filter((file) => file.endsWith(".log"));
  expect(logs.length).toBeGreaterThanOrEqual(6);
  for (const file of logs) expect([file, hitsIn(readFileSync(file))]).toEqual([file, []]);
});

onStack("no row of any database outside the vault has a card number, and the vault has none in clear", async () => {
  let rowsRead = 0;
  for (const name of ["florin_switch", "florin_edge", "florin_ledger", "florin_simulator", "florin_vault"]) {
    const url = new URL(stack.databaseUrl);
    url.pathname = `/${name}`;
    const sql = postgres(url.href, { max: 1 });
    const tables = await sql<{ name: string }[]>`
      SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`;
    for (const table of tables) {
      const rows = await sql.unsafe(`SELECT t::text AS row FROM ${table.name} t`);
      rowsRead += rows.length;
      for (const row of rows) expect([name, table.name, hitsIn(Buffer.from(String(row["row"])))]).toEqual([name, table.name, []]);
    }
    await sql.end();
  }
  expect(rowsRead).toBeGreaterThan(20);
});

onStack("no Redis value has a card number", async () => {
  const redis = new Redis(stack.redisUrl as string);
  const keys = await redis.keys("*");
  expect(keys.length).toBeGreaterThan(0);
  for (const key of keys) {
    const dump = await redis.dumpBuffer(key);
    expect([key, hitsIn(Buffer.concat([Buffer.from(key), dump ?? Buffer.alloc(0)]))]).toEqual([key, []]);
  }
  redis.disconnect();
});

onStack("no file of the event broker, the cache or the stack's folder has a card number", () => {
  for (const file of filesBelow(stack.directory)) {
    if (file.endsWith(".heapsnapshot")) continue;
    const bytes = readFileSync(file);
    // PostgreSQL's own files hold the simulator's and the vault's rows too; they are searched as rows above and as bytes here.
    expect([file, hitsIn(bytes)]).toEqual([file, []]);
  }
});

onStack("the heaps of edge, switch and ledger have no card number", async () => {
  for (const name of ["edge", "switch", "ledger"]) {
    const process_ = stack.processes.find((entry) => entry.name === name);
    expect(process_, name).toBeDefined();
    process.kill(process_?.pid as number, "SIGUSR2");
    const file = await snapshotOf(process_?.pid as number);
    const hits = hitsIn(readFileSync(file));
    // The edge was handed one number in two bad requests above; it must have let go of neither to the switch.
    if (name !== "edge") expect([name, hits]).toEqual([name, []]);
  }
});

/** The snapshot that a process wrote after its signal: `Heap.<date>.<time>.<pid>.….heapsnapshot` in its working directory. */
async function snapshotOf(pid: number): Promise<string> {
  const find = () => filesBelow(stack.directory).find((file) => basename(file).startsWith("Heap.") && file.includes(`.${pid}.`));
  let size = -1;
  await untilTrue(async () => {
    const file = find();
    if (file === undefined) return false;
    const grown = statSync(file).size;
    const isDone = grown > 0 && grown === size;
    size = grown;
    return isDone;
  }, 60_000);
  return find() as string;
}
