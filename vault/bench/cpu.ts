/** CPU time of other processes, from /proc (Linux). */
import { readdirSync, readFileSync } from "node:fs";
import { connectPostgres } from "@florin/runtime/postgres";
import type { Stage } from "../test/stage.ts";

const microsPerTick = 10_000;

/** User and system time of one process, µs; 0 when it is gone. */
export function cpuMicrosOf(pid: number | undefined): number {
  const fields = statOf(String(pid));
  return fields === undefined ? 0 : ticksOf(fields) * microsPerTick;
}

const postmasters = new WeakMap<Stage, number>();

/** Finds the server's main process; call once before `postgresMicros`. */
export async function findPostgres(stage: Stage): Promise<void> {
  const sql = connectPostgres({ url: stage.superuserUrl, name: "bench", connectionsMax: 1 });
  const [row] = await sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
  const parent = Number(statOf(String(row?.pid))?.[1] ?? 0);
  await sql.end({ timeout: 5 });
  postmasters.set(stage, parent);
}

/** User and system time of PostgreSQL, all its processes, µs. Children that ended are in it through their parent. */
export function postgresMicros(stage: Stage): number {
  const postmaster = String(postmasters.get(stage) ?? 0);
  let ticks = 0;
  for (const entry of readdirSync("/proc")) {
    const fields = /^\d+$/.test(entry) ? statOf(entry) : undefined;
    if (fields === undefined || (entry !== postmaster && fields[1] !== postmaster)) continue;
    ticks += ticksOf(fields);
    if (entry === postmaster) ticks += Number(fields[13]) + Number(fields[14]);
  }
  return ticks * microsPerTick;
}

/** Fields of /proc/<pid>/stat from the third on (proc(5)): state, ppid, … */
function statOf(pid: string): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
  } catch {
    return undefined;
  }
}

function ticksOf(fields: readonly string[]): number {
  return Number(fields[11]) + Number(fields[12]);
}
