/** PostgreSQL killed, read-only, full, exhausted, and locked by somebody who fell asleep. All of it is the one server of the whole stack. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { required } from "@florin/kernel";
import { familyOf } from "../drill-stack.ts";
import type { Load } from "../load/load.ts";
import { between } from "../random.ts";
import { type Fault, NotPossibleHere, type Strike } from "./fault.ts";

const beforeKillMsMax = 700;
const awayMs = 500;
const blockedMs = { short: 3_000, full: 6_000 } as const;
/** Longer than merchants wait, and than the switch waits for a batch. */
const asleepMs = { short: 6_000, full: 45_000 } as const;
/** What was under way when the fault began may end well: it is given this long. */
const underWayMs = 1_000;

const lasts = (strike: Strike, times: { readonly short: number; readonly full: number }) => (strike.isShort ? times.short : times.full);

async function killPostgres({ stack, random, pause, lifted }: Strike): Promise<void> {
  await pause(between(random, 0, beforeKillMsMax));
  for (const pid of familyOf(stack.pidOf("postgres"))) killHard(pid);
  await pause(awayMs);
  await stack.startServer("postgres");
  lifted();
}

/** One of its children may have ended by itself in between. */
function killHard(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (thrown) {
    if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ESRCH")) throw thrown;
  }
}

async function readOnly(strike: Strike): Promise<void> {
  const { stack, pause, inForce, lifted } = strike;
  const sql = stack.connect(1);
  try {
    await sql`ALTER SYSTEM SET default_transaction_read_only = on`;
    await sql`SELECT pg_reload_conf()`;
    await pause(underWayMs);
    inForce();
    await pause(lasts(strike, blockedMs));
  } finally {
    await sql`ALTER SYSTEM RESET default_transaction_read_only`;
    await sql`SELECT pg_reload_conf()`;
    lifted();
    await sql.end({ timeout: 1 });
  }
}

/** Every session of the switch soon waits for this lock, readers and writers. */
async function exhaustPool(strike: Strike): Promise<void> {
  const { stack, pause, inForce, lifted } = strike;
  const sql = stack.connect(1);
  try {
    await sql.begin(async (session) => {
      await session`LOCK TABLE idempotency_keys, payment_events IN ACCESS EXCLUSIVE MODE`;
      await pause(underWayMs);
      inForce();
      await pause(lasts(strike, blockedMs));
    });
    lifted();
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** The server has no room for another session, and the switch loses those that it has. */
async function takeAllConnections(strike: Strike): Promise<void> {
  const { stack, pause, inForce, lifted } = strike;
  const last = stack.connect(1);
  // The reserved ones are for superusers: the crowd must not take the last of them, or nobody could send it away.
  const [{ room } = { room: 0 }] = await last<{ room: number }[]>`
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS room`;
  const crowd = stack.connect(room);
  const sleepers: Promise<unknown>[] = [];
  try {
    const kick = () =>
      last`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'florin_switch' AND usename = 'florin_switch_app'`;
    for (let n = 0; n < room; n++) sleepers.push(crowd`SELECT pg_sleep(600)`.catch(() => undefined));
    await kick();
    await pause(underWayMs);
    await kick();
    inForce();
    await pause(lasts(strike, blockedMs));
  } finally {
    await last`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'`;
    lifted();
    await Promise.all(sleepers);
    await crowd.end({ timeout: 1 });
    await last.end({ timeout: 1 });
  }
}

/** Somebody began a transaction, locked the log against writers, and went to lunch. */
async function fallAsleep(strike: Strike): Promise<void> {
  const { stack, pause, inForce, lifted } = strike;
  const sql = stack.connect(1);
  try {
    await sql.begin(async (session) => {
      await session`LOCK TABLE payment_events IN SHARE MODE`;
      await pause(underWayMs);
      inForce();
      await pause(lasts(strike, asleepMs));
    });
    lifted();
  } finally {
    await sql.end({ timeout: 1 });
  }
}

const diskBytes = 134_217_728;
const tablespace = "drill_small_disk";

/**
 * The log moves to a small file system of its own, which a ballast fills: the next page of the log finds no room (ENOSPC). What still fits into the pages that are
 * there may succeed, so what is asked here is that requests were refused; that no success was lost is asked of every fault.
 */
async function fillDisk(strike: Strike): Promise<void> {
  const { stack, load, pause, lifted } = strike;
  const disk = join(stack.directory, "small-disk");
  mountSmallDisk(disk, statSync(stack.dataFolder));
  const sql = stack.connect(1);
  try {
    const home = join(disk, "tablespace");
    mkdirSync(home);
    chown(home, stack.dataFolder);
    await sql.unsafe(`CREATE TABLESPACE ${tablespace} LOCATION '${home}'`);
    const parts = await partsOfLog(sql);
    await moveTo(sql, parts, tablespace);
    const ballast = join(disk, "ballast");
    fillUp(ballast);
    const fullSinceMs = performance.now();
    await pause(underWayMs + lasts(strike, blockedMs));
    rmSync(ballast);
    lifted();
    if (!wasRefused(load, fullSinceMs)) throw new Error("nothing was refused while the disk was full");
    await pause(awayMs);
    await moveTo(sql, parts, "pg_default");
    await sql.unsafe(`DROP TABLESPACE ${tablespace}`);
  } finally {
    await sql.end({ timeout: 1 });
    execFileSync("umount", ["--lazy", disk]);
    rmSync(disk, { recursive: true, force: true });
  }
}

function wasRefused(load: Load, sinceMs: number): boolean {
  return load.calls.some(({ answers }) => answers.some(({ status, startedAtMs }) => status === 503 && startedAtMs >= sinceMs));
}

function mountSmallDisk(folder: string, owner: { readonly uid: number; readonly gid: number }): void {
  mkdirSync(folder);
  const options = `size=${diskBytes},mode=0755,uid=${owner.uid},gid=${owner.gid}`;
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "florin-drill", folder], { stdio: "pipe" });
  } catch (thrown) {
    rmSync(folder, { recursive: true });
    throw new NotPossibleHere("no right to mount a small file system", { cause: thrown });
  }
}

function chown(path: string, like: string): void {
  const { uid, gid } = statSync(like);
  execFileSync("chown", [`${uid}:${gid}`, path]);
}

type Sql = ReturnType<Strike["stack"]["connect"]>;
type Part = { readonly name: string; readonly kind: string };

/** The newest partition of the log and its indexes. */
async function partsOfLog(sql: Sql): Promise<readonly Part[]> {
  // Index: the primary key of each partition.
  const [newest] = await sql<{ partition: string }[]>`
    SELECT tableoid::regclass::text AS partition FROM payment_events ORDER BY payment_id DESC LIMIT 1`;
  const { partition } = required(newest, "a payment in the log");
  const indexes = await sql<{ name: string }[]>`
    SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = ${partition}::regclass`;
  return [{ name: partition, kind: "TABLE" }, ...indexes.map(({ name }) => ({ name, kind: "INDEX" }))];
}

async function moveTo(sql: Sql, parts: readonly Part[], space: string): Promise<void> {
  for (const { name, kind } of parts) await sql.unsafe(`ALTER ${kind} ${name} SET TABLESPACE ${space}`);
}

/** Until the file system has no byte left. */
function fillUp(file: string): void {
  const block = Buffer.alloc(65_536);
  for (const size of [block.length, 4_096, 1]) {
    try {
      for (;;) writeFileSync(file, block.subarray(0, size), { flag: "a" });
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOSPC")) throw thrown;
    }
  }
}

const common = { load: "mixed", anchor: "C4", recoveryMsMax: 5_000, refuses: true, rounds: { short: 1, full: 3 } } as const;

export const databaseFaults: readonly Fault[] = [
  {
    ...common,
    name: "postgres_kill",
    anchor: "C2",
    what: "kill -9 of PostgreSQL, all its processes, in the middle of batches",
    rounds: { short: 1, full: 10 },
    recoveryMsMax: 2_000,
    refuses: false,
    strike: killPostgres,
  },
  { ...common, name: "postgres_read_only", what: "the server takes no writes for a while", strike: readOnly },
  { ...common, name: "postgres_pool_exhausted", what: "every session of the switch waits for a lock", strike: exhaustPool },
  {
    ...common,
    name: "postgres_no_connections",
    what: "other sessions take all the server's room, and those of the switch are ended",
    strike: takeAllConnections,
  },
  {
    ...common,
    name: "postgres_idle_in_transaction",
    what: "a session locks the log against writers and falls asleep",
    rounds: { short: 1, full: 1 },
    strike: fallAsleep,
  },
  { ...common, name: "postgres_disk_full", what: "the file system of the log has no byte left", refuses: false, strike: fillDisk },
];
