/**
 * Who computes where while a crowd is measured: the edge on one half of the cores, what is behind the door on the other.
 *
 * On one machine every no takes from what a yes is made of, which tells of the machine: where a crowd is expected, edges have machines of their own,
 * because they hold nothing. Apart, what is measured is the door: whether those behind it do as much, and as fast, as without the crowd. The crowd
 * itself has to live somewhere: before the door; behind it, it would take from what is measured, and hear every answer late. Where door
 * and crowd fill their cores (the drill says so), neither is what is measured any more: the machine is too small for that crowd.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { cpuMicrosOfFamily } from "../bench/cpu.ts";
import type { UpFile } from "../stack/up-file.ts";

/** Lists of cores as taskset(1) reads them. */
export type Cores = { readonly door: string; readonly house: string; readonly doorCount: number };

/** Undefined where there is only one core. */
export function splitCores(count = availableParallelism()): Cores | undefined {
  if (count < 2) return undefined;
  const half = Math.ceil(count / 2);
  const list = (first: number, last: number) => (first === last ? String(first) : `${first}-${last}`);
  return { door: list(0, half - 1), house: list(half, count - 1), doorCount: half };
}

/** Every process of the stack to its cores, with its threads and children; what they start later inherits it. */
export function settleStack(up: UpFile, { door, house }: Cores): void {
  for (const { name, pid } of up.processes)
    for (const one of [pid, ...cpuMicrosOfFamily(pid).children.keys()]) settle(one, name === "edge" ? door : house);
}

/** Throws where taskset(1) is missing or may not do it. A process that has ended meanwhile needs no core. */
export function settle(pid: number, cores: string): void {
  try {
    execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", cores, String(pid)], { stdio: ["ignore", "ignore", "pipe"] });
  } catch (thrown) {
    if (!String(thrown).includes("No such process")) throw thrown;
  }
}
