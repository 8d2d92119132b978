/**
 * CPU time and memory of processes, from /proc. Linux only: the bench says so and ends elsewhere.
 *
 * Time is user + system of all threads. A process that ended is counted through its parent, which has reaped it (PostgreSQL's backends).
 */
import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ is 100 on every Linux that Node runs on. */
const microsPerTick = 10_000;

type Stat = { readonly pid: number; readonly parent: number; readonly ownTicks: number; readonly reapedTicks: number };

function readStat(pid: number | string): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name is in parentheses and may hold spaces: fields are counted after it (proc(5)).
    const fields = text.slice(text.lastIndexOf(") ") + 2).split(" ");
    const ticks = (index: number) => Number(fields[index]);
    return { pid: Number(pid), parent: ticks(1), ownTicks: ticks(11) + ticks(12), reapedTicks: ticks(13) + ticks(14) };
  } catch {
    return undefined;
  }
}

/** CPU microseconds of one process since it began; 0 when it is gone. */
export function cpuMicrosOf(pid: number): number {
  return (readStat(pid)?.ownTicks ?? 0) * microsPerTick;
}

/** CPU microseconds of a process, its living children by id, and those of them that have ended. */
export function cpuMicrosOfFamily(pid: number): { readonly parent: number; readonly children: ReadonlyMap<number, number> } {
  const parent = readStat(pid);
  const children = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readStat(entry);
    if (stat?.parent === pid) children.set(stat.pid, stat.ownTicks * microsPerTick);
  }
  return { parent: ((parent?.ownTicks ?? 0) + (parent?.reapedTicks ?? 0)) * microsPerTick, children };
}

/** Resident memory in bytes; 0 when it is gone. */
export function residentBytesOf(pid: number): number {
  try {
    const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(found?.[1] ?? 0) * 1_024;
  } catch {
    return 0;
  }
}
