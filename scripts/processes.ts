/**
 * Processes by id: is it alive, is it still the one we started, stop it and wait.
 *
 * A process id is given to somebody else after its holder has ended, so a recorded process is known by id and start time together.
 */
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** `startTicks` is the kernel's start time of the process (proc(5), field 22); empty where the system does not tell. */
export type KnownProcess = { readonly name: string; readonly pid: number; readonly startTicks: string };

const pollMs = 25;

export function describeProcess(name: string, pid: number): KnownProcess {
  return { name, pid, startTicks: startTicksOf(pid) };
}

/** True while the very process that was described runs. A zombie has ended. */
export function isRunning(known: KnownProcess): boolean {
  if (!isAlive(known.pid)) return false;
  return known.startTicks === "" || startTicksOf(known.pid) === known.startTicks;
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

function startTicksOf(pid: number): string {
  return statFields(pid)?.[19] ?? "";
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
