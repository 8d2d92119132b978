/** The server process of an embedded PostgreSQL: is one running on this folder, is it ours, how to stop it. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const stopTimeoutMs = 30_000;
const forceTimeoutMs = 5_000;
const pollMs = 20;

export type RunningServer = { readonly pid: number; readonly port: number; readonly ready: boolean };

/** The server that holds this folder, from postmaster.pid (lines: pid, folder, start, port, socket folder, address, shared memory, state). */
export function runningServer(directory: string): RunningServer | undefined {
  const file = join(directory, "postmaster.pid");
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, "utf8").split("\n");
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 1 || !isServerOf(pid, directory)) return undefined;
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === "ready" };
}

/**
 * Whether this process is the PostgreSQL of this folder: an id may have been given to somebody else since. Where the system does not show
 * command lines, being alive has to do.
 */
export function isServerOf(pid: number, directory: string): boolean {
  if (!isAlive(pid)) return false;
  const words = commandLine(pid);
  return words === undefined || (basename(words[0] ?? "") === "postgres" && words.includes(directory));
}

/** The living Node process that started this server and still looks after it, if it is not this one. A server whose parent died has another one. */
export function otherKeeperOf(pid: number): number | undefined {
  const parent = Number(statFields(pid)?.[1]);
  if (!Number.isSafeInteger(parent) || parent <= 1 || parent === process.pid) return undefined;
  return basename(commandLine(parent)?.[0] ?? "") === "node" ? parent : undefined;
}

/** Undefined where there is no /proc. */
function commandLine(pid: number): readonly string[] | undefined {
  if (!existsSync("/proc/self/cmdline")) return undefined;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** State, parent and so on: what follows the name in parentheses. */
function statFields(pid: number): readonly string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ");
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown && thrown.code === "EPERM";
  }
  // One that its parent has not collected yet has ended all the same.
  return statFields(pid)?.[0] !== "Z";
}

/** SIGINT is PostgreSQL's "fast shutdown": sessions are rolled back, a checkpoint is written. SIGQUIT forces it; recovery runs at the next start. */
export async function stopServer(pid: number): Promise<void> {
  for (const [signal, patienceMs] of [
    ["SIGINT", stopTimeoutMs],
    ["SIGQUIT", forceTimeoutMs],
  ] as const) {
    if (!isAlive(pid)) return;
    process.kill(pid, signal);
    for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += pollMs) {
      if (!isAlive(pid)) return;
      await sleep(pollMs);
    }
  }
  throw new Error(`PostgreSQL (process ${pid}) does not stop`);
}
