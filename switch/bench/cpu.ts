/**
 * CPU time of one PostgreSQL server, from /proc (Linux).
 *
 * Only of the server given: another cluster on this machine is somebody else's cost. A process that ended is counted through the main
 * process, which has reaped it.
 */
import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ is 100 on every Linux that Node runs on. */
const microsPerTick = 10_000;

/** User and system time of the server's main process and all its children since it began, µs, in steps of 10 ms. */
export function serverMicros(mainPid: number): number {
  let ticks = 0;
  for (const entry of readdirSync("/proc")) {
    const fields = /^\d+$/.test(entry) ? statOf(entry) : undefined;
    const isMain = entry === String(mainPid);
    if (fields === undefined || (!isMain && fields[1] !== String(mainPid))) continue;
    ticks += Number(fields[11]) + Number(fields[12]);
    if (isMain) ticks += Number(fields[13]) + Number(fields[14]);
  }
  return ticks * microsPerTick;
}

/** Fields of /proc/<pid>/stat from the third on (proc(5)): state, parent, …; undefined when the process ended while we looked. */
function statOf(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(") ") + 2).split(" ");
  } catch {
    return undefined;
  }
}
