/**
 * Redis and NATS for the stack: somebody else's, or our own on the loopback address.
 *
 * Both are caches of what PostgreSQL holds: they may be away, and may be wiped.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { answersAt, type ServerPlan } from "./server-plan.ts";

export type ServerPart = { readonly url: string; readonly description: string };

type ServerOptions = {
  readonly plan: ServerPlan | undefined;
  readonly directory: string;
  readonly port: number;
  /** Told at once, before the server is ready: a process that nobody knows of would outlive the stack. */
  readonly onPid: (pid: number) => void;
};

const startTimeoutMs = 10_000;

/** Undefined: the stack runs without Redis. */
export async function startRedis(o: ServerOptions & { readonly password: string }): Promise<ServerPart | undefined> {
  if (o.plan === undefined) return undefined;
  if (o.plan.kind === "given") return { url: o.plan.url, description: "Redis of REDIS_URL" };
  const { binary } = o.plan;
  const folder = join(o.directory, "redis");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const settings = [
    "bind 127.0.0.1",
    `port ${o.port}`,
    `dir ${JSON.stringify(folder)}`,
    `requirepass ${o.password}`,
    // A cache: nothing on disk, and the oldest answers make room for new ones.
    'save ""',
    "appendonly no",
    "maxmemory 224mb",
    "maxmemory-policy allkeys-lru",
  ];
  const file = join(folder, "redis.conf");
  writeFileSync(file, `${settings.join("\n")}\n`, { mode: 0o600 });
  await startServer({ ...o, name: "redis", binary, words: [file] });
  return { url: `redis://default:${o.password}@127.0.0.1:${o.port}`, description: `Redis (${binary})` };
}

/** Undefined: consumers subscribe to the switch directly. */
export async function startNats(o: ServerOptions): Promise<ServerPart | undefined> {
  if (o.plan === undefined) return undefined;
  if (o.plan.kind === "given") return { url: o.plan.url, description: "NATS of NATS_URL" };
  const { binary } = o.plan;
  const folder = join(o.directory, "nats");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const settings = [
    `listen: "127.0.0.1:${o.port}"`,
    "server_name: florin",
    `jetstream { store_dir: ${JSON.stringify(folder)}, max_memory_store: 64MB, max_file_store: 8GB }`,
  ];
  const file = join(folder, "nats.conf");
  writeFileSync(file, `${settings.join("\n")}\n`, { mode: 0o600 });
  await startServer({ ...o, name: "nats", binary, words: ["--config", file] });
  return { url: `nats://127.0.0.1:${o.port}`, description: `NATS JetStream (${binary})` };
}

type Start = ServerOptions & { readonly name: string; readonly binary: string; readonly words: readonly string[] };

/** A session of its own: Ctrl-C in the terminal reaches the supervisor only, which stops servers last. */
async function startServer(o: Start): Promise<void> {
  const logFile = join(o.directory, "logs", `${o.name}.log`);
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(o.binary, o.words, { cwd: o.directory, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  let ended: string | undefined;
  child.once("error", (error) => {
    ended = error.message;
  });
  child.once("exit", (code) => {
    ended = `exit code ${code}`;
  });
  if (child.pid !== undefined) o.onPid(child.pid);
  child.unref();
  const deadlineMs = Date.now() + startTimeoutMs;
  for (;;) {
    const answers = await answersAt({ host: "127.0.0.1", port: o.port });
    // Ours has ended when another one was faster to take the port; then it is that one which answers.
    if (ended !== undefined || (!answers && Date.now() > deadlineMs))
      throw new Error(`${o.name} did not start (${ended ?? "no answer"}): see ${logFile}`);
    if (answers) return;
    await sleep(25);
  }
}
