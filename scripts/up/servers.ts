/**
 * Redis and NATS for the stack: the ones of REDIS_URL and NATS_URL, or our own from PATH or the tools folder, on the loopback address.
 *
 * Both are caches of what PostgreSQL holds: they may be away, and may be wiped.
 */
import { execFileSync, spawn } from "node:child_process";
import { accessSync, closeSync, constants, mkdirSync, openSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Profile } from "./options.ts";

export type ServerPart = { readonly url: string; readonly pid: number | undefined; readonly description: string };

type ServerOptions = { readonly directory: string; readonly port: number; readonly profile: Profile; readonly env: NodeJS.ProcessEnv };

const startTimeoutMs = 10_000;
const natsVersionMin = [2, 10] as const;

/** Undefined: the stack runs without Redis. */
export async function startRedis(o: ServerOptions & { readonly password: string }): Promise<ServerPart | undefined> {
  if (o.profile === "embedded") return undefined;
  const given = o.env["REDIS_URL"];
  if (given !== undefined && given !== "") return { url: given, pid: undefined, description: "Redis of REDIS_URL" };
  const binary = findBinary("redis-server", o.env);
  if (binary === undefined) return absent(o.profile, "redis-server", "REDIS_URL");
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
  const pid = await startServer({ name: "redis", binary, words: [file], directory: o.directory, port: o.port });
  return { url: `redis://default:${o.password}@127.0.0.1:${o.port}`, pid, description: `Redis (${binary})` };
}

/** Undefined: consumers subscribe to the switch directly. */
export async function startNats(o: ServerOptions): Promise<ServerPart | undefined> {
  if (o.profile === "embedded") return undefined;
  const given = o.env["NATS_URL"];
  if (given !== undefined && given !== "") return { url: given, pid: undefined, description: "NATS of NATS_URL" };
  const binary = findBinary("nats-server", o.env, isNatsNewEnough);
  if (binary === undefined) return absent(o.profile, `nats-server (${natsVersionMin.join(".")} or newer)`, "NATS_URL");
  const folder = join(o.directory, "nats");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const settings = [
    `listen: "127.0.0.1:${o.port}"`,
    "server_name: florin",
    `jetstream { store_dir: ${JSON.stringify(folder)}, max_memory_store: 64MB, max_file_store: 8GB }`,
  ];
  const file = join(folder, "nats.conf");
  writeFileSync(file, `${settings.join("\n")}\n`, { mode: 0o600 });
  const pid = await startServer({ name: "nats", binary, words: ["--config", file], directory: o.directory, port: o.port });
  return { url: `nats://127.0.0.1:${o.port}`, pid, description: `NATS JetStream (${binary})` };
}

/** First in the tools folder (FLORIN_TOOLS_DIR, else ~/.cache/florin/bin), then on PATH. */
export function findBinary(name: string, env: NodeJS.ProcessEnv, isUsable: (file: string) => boolean = () => true): string | undefined {
  const folders = [env["FLORIN_TOOLS_DIR"] ?? join(homedir(), ".cache", "florin", "bin"), ...(env["PATH"] ?? "").split(delimiter)];
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((file) => isExecutable(file) && isUsable(file));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isNatsNewEnough(file: string): boolean {
  const version = /v?(\d+)\.(\d+)/.exec(execFileSync(file, ["--version"], { encoding: "utf8" }));
  const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
  return major > natsVersionMin[0] || (major === natsVersionMin[0] && minor >= natsVersionMin[1]);
}

function absent(profile: Profile, server: string, variable: string): undefined {
  if (profile === "full") throw new Error(`--profile full needs ${server}: put it on PATH, or set ${variable}, or use --profile embedded`);
  return undefined;
}

/** A session of its own: Ctrl-C in the terminal reaches the supervisor only, which stops servers last. */
async function startServer(o: {
  name: string;
  binary: string;
  words: readonly string[];
  directory: string;
  port: number;
}): Promise<number> {
  const log = openSync(join(o.directory, "logs", `${o.name}.log`), "a", 0o600);
  const child = spawn(o.binary, o.words, { cwd: o.directory, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  let ended: string | undefined;
  child.once("error", (error) => {
    ended = error.message;
  });
  child.once("exit", (code) => {
    ended = `exit code ${code}`;
  });
  child.unref();
  const deadlineMs = Date.now() + startTimeoutMs;
  while (!(await accepts(o.port))) {
    if (ended !== undefined || Date.now() > deadlineMs)
      throw new Error(`${o.name} did not start (${ended ?? "no answer"}): see ${join(o.directory, "logs", `${o.name}.log`)}`);
    await sleep(25);
  }
  return child.pid as number;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
