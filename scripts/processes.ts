/**
 * Processes by id: is it alive, is it still the one we started, stop it and wait.
 *
 * A process id is given to somebody else after its holder has ended, so a recorded process is known by its id and its birth together, and
 * only that one is ever signalled.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** `birth` is when the process started, in the words of the system: no other process with this id ever had or will have the same. */
export type KnownProcess = { readonly name: string; readonly pid: number; readonly birth: string };

const pollMs = 25;

export function describeProcess(name: string, pid: number): KnownProcess {
  return { name, pid, birth: birthOf(pid) };
}

/** True while the very process that was described runs. A zombie has ended. */
export function isRunning(known: KnownProcess): boolean {
  return isAlive(known.pid) && known.birth !== "" && birthOf(known.pid) === known.birth;
}

/** Sends `signal`, waits `patienceMs`, then SIGKILL. Answers how it ended; `absent` when it was not running. */
export async function stopProcess(
  known: KnownProcess,
  signal: NodeJS.Signals,
  patienceMs: number,
): Promise<"stopped" | "killed" | "absent"> {
  if (!isRunning(known)) return "absent";
  process.kill(known.pid, signal);
  if (await untilEnded(known, patienceMs)) return "stopped";
  if (isRunning(known)) process.kill(known.pid, "SIGKILL");
  await untilEnded(known, 5_000);
  return "killed";
}

/** True when it ended within `timeoutMs`. */
export async function untilEnded(known: KnownProcess, timeoutMs: number): Promise<boolean> {
  const deadlineMs = Date.now() + timeoutMs;
  while (isRunning(known)) {
    if (Date.now() >= deadlineMs) return false;
    await sleep(pollMs);
  }
  return true;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EPERM")) return false;
  }
  return statFields(pid)?.[0] !== "Z";
}

/**
 * The kernel's start time (proc(5), field 22) counts from the start of the machine, so that start is part of it. Without /proc (macOS), what
 * ps says, to the second. Empty when there is no such process.
 */
function birthOf(pid: number): string {
  if (existsSync("/proc/self/stat")) {
    const ticks = statFields(pid)?.[19];
    return ticks === undefined ? "" : `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${ticks}`;
  }
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "";
  }
}

/** The fields of /proc/<pid>/stat after the name, which may itself hold spaces and brackets; undefined without /proc. */
function statFields(pid: number): readonly string[] | undefined {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return undefined;
  try {
    const text = readFileSync(file, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
