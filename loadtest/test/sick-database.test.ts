/**
 * PostgreSQL is there and cannot do its work, or dies and comes back, under the whole stack: merchants get 503 with Retry-After from the real
 * edge, never a success that is not committed; the service goes on by itself within five seconds; and each key has one charge at most.
 */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { idToHex, required } from "@florin/kernel";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { serviceDatabaseUrl } from "../src/stack/up-file.ts";
import { type Answer, authorizeBody, call, type Stack, startStack, untilTrue } from "./stack.ts";

const resumesWithinMs = 5_000;
/** An intent that was committed while its caller was told nothing is asked about after its lease. */
const decidedWithinMs = 60_000;

let stack: Stack;
let superuser: postgres.Sql;
const repairs: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  stack = await startStack({ profile: "embedded" });
  superuser = postgres(serviceDatabaseUrl(stack, "florin_switch"), { max: 2, fetch_types: false, onnotice: () => {} });
});
afterEach(async () => {
  for (const repair of repairs.splice(0)) await repair();
});
afterAll(async () => {
  await superuser?.end({ timeout: 1 });
  await stack?.stop();
});

const pay = (key: string) => call(stack, "POST", "/v1/payments/authorize", authorizeBody({ merchant_reference: key }), { key });
const newKeys = (count: number) => Array.from({ length: count }, () => randomUUID());

/** What a merchant must be told when nothing can be promised: come back, with the same key. */
function expectComeBack(answer: Answer): void {
  const { error } = answer.body as { error?: Record<string, unknown> };
  expect({ status: answer.status, error }).toMatchObject({ status: 503, error: { type: "unavailable" } });
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(error?.["request_id"]).toBe(answer.headers.get("request-id"));
  expect(JSON.stringify(error)).not.toMatch(/sql|postgres|florin_|payment_events/i);
}

async function expectResumed(): Promise<void> {
  let key = randomUUID();
  const statuses: number[] = [];
  await untilTrue(async () => {
    const { status, body } = await pay(key);
    statuses.push(status);
    // Its help says so: nothing was sent, and that is this key's answer for ever. The vault may be back a moment after the switch.
    if ((body as { error?: { code?: string } }).error?.code === "processor_unavailable") key = randomUUID();
    return [200, 201].includes(status);
  }, resumesWithinMs).catch((thrown: unknown) => {
    throw new Error(`not one payment within ${resumesWithinMs} ms: ${statuses.join(" ")}`, { cause: thrown });
  });
}

/** Asked again, each key ends decided: charged once when it says so, and not charged when it does not. */
async function expectOneChargeAtMost(keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    let answer: Answer | undefined;
    await untilTrue(async () => {
      answer = await pay(key);
      return answer.status !== 202 && answer.status !== 503;
    }, decidedWithinMs);
    const { status, body } = required(answer, "an answer");
    const payment = status === 402 || status === 503 ? (body["error"] as { payment?: Record<string, unknown> }).payment : body;
    expect([200, 201, 402, 503]).toContain(status);
    expect(await chargesOf(String(payment?.["id"]))).toBe(status === 200 || status === 201 ? 1 : 0);
  }
}

async function chargesOf(paymentId: string): Promise<number> {
  const response = await fetch(`${stack.simulatorUrl}/admin/books/charges?payment_id=${paymentId}`);
  return ((await response.json()) as { count: number }).count;
}

/** Breaks, pays, repairs. All payments of the outage are told to come back. */
async function outage(o: { readonly count: number; readonly begin: () => Promise<unknown>; readonly repair: () => Promise<unknown> }) {
  const keys = newKeys(o.count);
  repairs.push(o.repair);
  await o.begin();
  for (const answer of await Promise.all(keys.map(pay))) expectComeBack(answer);
  await repairs.pop()?.();
  await expectResumed();
  await expectOneChargeAtMost(keys);
}

test("read-only: no payment, and none is kept open", async () => {
  const reload = async (setting: "on" | "off") => {
    await superuser.unsafe("SET default_transaction_read_only = off").simple();
    await superuser.unsafe(`ALTER SYSTEM SET default_transaction_read_only = ${setting}`).simple();
    await superuser`SELECT pg_reload_conf()`;
    await sleep(200);
  };
  await outage({ count: 10, begin: () => reload("on"), repair: () => reload("off") });
});

test("no file can grow, as on a full disk: no payment; with room again they go on without a restart", async () => {
  const fillOne = () => superuser`INSERT INTO idempotency_keys (merchant_id, is_live, key, request_hash, payment_id, intent_seq, created_at)
    VALUES (gen_random_uuid(), false, 'filler', '', gen_random_uuid(), 1, now())`;
  await outage({
    count: 10,
    async begin() {
      // A limit below the size of a segment of the write-ahead log would be another fault, so the table grows beyond that first.
      await superuser`INSERT INTO idempotency_keys (merchant_id, is_live, key, request_hash, payment_id, intent_seq, created_at)
        SELECT gen_random_uuid(), false, 'filler', '', gen_random_uuid(), 1, now() FROM generate_series(1, 220000)`;
      await superuser.unsafe("VACUUM FULL idempotency_keys").simple();
      const [table] = await superuser<{ size: string }[]>`SELECT pg_relation_size('idempotency_keys')::text AS size`;
      limitFiles(required(table, "a size").size);
      // Its last page may still have room.
      await expect(fillUp(fillOne)).resolves.toMatch(/could not extend file/);
    },
    repair: async () => limitFiles("unlimited"),
  });
});

async function fillUp(fillOne: () => Promise<unknown>): Promise<string> {
  for (let rows = 0; rows < 10_000; rows++) {
    const refusal = await fillOne().then(
      () => undefined,
      (thrown: unknown) => String(thrown),
    );
    if (refusal !== undefined) return refusal;
  }
  return "there is room for 10,000 rows";
}

/** The largest file that the server's processes may write: every account may say so of its own processes. */
function limitFiles(bytes: string): void {
  const server = required(
    stack.processes.find(({ name }) => name === "postgres"),
    "postgres",
  ).pid;
  const children = execFileSync("pgrep", ["-P", String(server)], { encoding: "utf8" })
    .trim()
    .split("\n");
  const owner = execFileSync("stat", ["-c", "%u %g", `/proc/${server}`], { encoding: "utf8" })
    .trim()
    .split(" ")
    .map(Number);
  const account = process.getuid?.() === 0 ? { uid: required(owner[0], "uid"), gid: required(owner[1], "gid") } : {};
  for (const pid of [String(server), ...children])
    execFileSync("prlimit", ["--pid", pid, `--fsize=${bytes}:`], { ...account, stdio: "pipe" });
}

test("all connections taken by a lock that somebody holds: whoever waits is told, and nobody is charged for it later", async () => {
  const holder = await superuser.reserve();
  await outage({
    count: 24,
    async begin() {
      await holder.unsafe("BEGIN; LOCK TABLE payment_events IN ACCESS EXCLUSIVE MODE").simple();
    },
    async repair() {
      await holder.unsafe("ROLLBACK").simple();
      holder.release();
    },
  });
});

test("no connection left for the switch: no payment", async () => {
  await outage({
    count: 10,
    async begin() {
      await superuser.unsafe("ALTER ROLE florin_switch_app CONNECTION LIMIT 0").simple();
      await superuser`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'florin_switch_app'`;
      await sleep(200);
    },
    repair: () => superuser.unsafe("ALTER ROLE florin_switch_app CONNECTION LIMIT -1").simple(),
  });
});

test("a session that idles in a transaction holds up no payment; the ledger follows when it has ended", async () => {
  const books = postgres(serviceDatabaseUrl(stack, "florin_ledger"), { max: 1, fetch_types: false });
  const idle = await superuser.reserve();
  const transfersOf = async (paymentId: string) =>
    (await books`SELECT 1 FROM transfers WHERE payment_id = ${idToHex(paymentId)}::uuid`).length;
  try {
    await idle.unsafe("BEGIN; SELECT pg_current_xact_id()").simple();
    const ids: string[] = [];
    for (const key of newKeys(20)) {
      const answer = await pay(key);
      expect(answer.status).toBe(201);
      ids.push(String(answer.body["id"]));
    }
    const last = required(ids.at(-1), "a payment");
    await sleep(1_000);
    expect(await transfersOf(last)).toBe(0);
    await idle.unsafe("ROLLBACK").simple();
    for (const id of ids) await untilTrue(async () => (await transfersOf(id)) > 0, resumesWithinMs);
  } finally {
    idle.release();
    await books.end({ timeout: 1 });
  }
});

test("one of the server's processes killed in the middle of payments: all sessions end, and what was answered is kept", async () => {
  const keys = newKeys(60);
  const told: (readonly [string, Answer])[] = [];
  const paying = Promise.all(
    keys.map(async (key, index) => {
      await sleep(index * 5);
      told.push([key, await pay(key)]);
    }),
  );
  await sleep(120);
  // A session that dies of a signal makes the server end all others and recover from its log, as after a crash of its own.
  const [victim] = await superuser<{ pid: number }[]>`
    SELECT pid FROM pg_stat_activity WHERE usename = 'florin_switch_app' AND backend_type = 'client backend' LIMIT 1`;
  process.kill(required(victim, "a session").pid, "SIGKILL");
  await paying;
  for (const [, answer] of told) if (answer.status !== 201 && answer.status !== 202) expectComeBack(answer);
  expect(told.filter(([, { status }]) => status === 503).length).toBeGreaterThan(0);
  // How long the server recovers is a matter of its disk; from then on it is ours.
  await untilTrue(async () => (await superuser`SELECT 1`.catch(() => [])).length === 1, decidedWithinMs);
  await expectResumed();
  await expectOneChargeAtMost(keys);
  for (const [key, answer] of told) if (answer.status === 201) expect((await pay(key)).text).toBe(answer.text);
});
