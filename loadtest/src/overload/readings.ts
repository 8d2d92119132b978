/** What is read of the stack when a phase begins and ends: CPU and memory by process, and the operations that the switch has worked on. */
import { readFileSync } from "node:fs";
import { cpuMicrosOf, cpuMicrosOfFamily, residentBytesOf } from "../bench/cpu.ts";
import type { UpFile } from "../stack/up-file.ts";

export type Reading = {
  readonly atMs: number;
  /** Since the process began; PostgreSQL with all its backends. */
  readonly cpuMicros: ReadonlyMap<string, number>;
  readonly residentBytes: ReadonlyMap<string, number>;
  /** Of each core of the machine, since it was started. */
  readonly coreTicks: readonly CoreTicks[];
  /** Operations that the switch has answered, whatever the answer. */
  readonly switchOperations: number;
  /** Answers 5xx of the edge, and those of them that it gave within 5 ms of reading the head of the request. */
  readonly refusals: number;
  readonly refusalsInTime: number;
  /** Authorizations that the processor over ISO 8583 has approved; 0 where there is none. */
  readonly approvedByFirst: number;
};

type CoreTicks = { readonly idle: number; readonly all: number };

const scrapeTimeoutMs = 10_000;

export async function readStack(
  up: UpFile,
  adminUrls: { readonly edge: string; readonly switch: string; readonly connectors: string },
): Promise<Reading> {
  const atMs = performance.now();
  const coreTicks = readCoreTicks();
  const cpuMicros = new Map<string, number>();
  const residentBytes = new Map<string, number>();
  for (const { name, pid } of up.processes) {
    if (name === "postgres") {
      const family = cpuMicrosOfFamily(pid);
      cpuMicros.set(
        name,
        [...family.children.values()].reduce((sum, micros) => sum + micros, family.parent),
      );
      continue;
    }
    cpuMicros.set(name, cpuMicrosOf(pid));
    residentBytes.set(name, residentBytesOf(pid));
  }
  const [switchOperations, approvedByFirst, refusals, refusalsInTime] = await Promise.all([
    sumOf(adminUrls.switch, /^switch_operation_duration_seconds_count/),
    sumOf(adminUrls.connectors, /^connectors_requests_total\{connector="simiso",operation="authorize",outcome="approved"/),
    sumOf(adminUrls.edge, /^edge_request_duration_seconds_count\{[^}]*status_class="5xx"/),
    sumOf(adminUrls.edge, /^edge_request_duration_seconds_bucket\{(?=[^}]*status_class="5xx")[^}]*le="0\.005"/),
  ]);
  return { atMs, cpuMicros, residentBytes, coreTicks, switchOperations, approvedByFirst, refusals, refusalsInTime };
}

async function sumOf(adminUrl: string, pattern: RegExp): Promise<number> {
  const response = await fetch(`${adminUrl}/metrics`, { signal: AbortSignal.timeout(scrapeTimeoutMs) });
  const lines = (await response.text()).split("\n").filter((line) => pattern.test(line));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

/** CPU seconds per second by process, between two readings. */
export function cpuShares(before: Reading, after: Reading): ReadonlyMap<string, number> {
  const micros = (after.atMs - before.atMs) * 1_000;
  return new Map([...after.cpuMicros].map(([name, used]) => [name, (used - (before.cpuMicros.get(name) ?? 0)) / micros]));
}

/** Share of their time that the cores from number `first` to before `end` had nothing to do between two readings, 0 to 1. */
export function idleShare(before: Reading, after: Reading, first: number, end = after.coreTicks.length): number {
  const sum = ({ coreTicks }: Reading, of: keyof CoreTicks) => coreTicks.slice(first, end).reduce((total, core) => total + core[of], 0);
  return (sum(after, "idle") - sum(before, "idle")) / Math.max(1, sum(after, "all") - sum(before, "all"));
}

/** proc_stat(5): `cpu0 user nice system idle iowait irq softirq steal guest guest_nice`; guests are in `user` and `nice` already. */
function readCoreTicks(): readonly CoreTicks[] {
  const lines = readFileSync("/proc/stat", "utf8")
    .split("\n")
    .filter((line) => /^cpu\d/.test(line));
  return lines.map((line) => {
    const ticks = line.split(/\s+/).slice(1, 9).map(Number);
    return { idle: ticks[3] ?? 0, all: ticks.reduce((sum, some) => sum + some, 0) };
  });
}
