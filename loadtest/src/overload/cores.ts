/**
 * Who computes where while a crowd is measured: the edge on one half of the cores, what is behind the door on the other.
 *
 * On one machine every no takes from what a yes is made of, which tells of the machine: where a crowd is expected, edges have machines of their own,
 * because they hold nothing. Apart, what is measured is the door: whether those behind it do as much, and as fast, as without the crowd. The crowd
 * itself has to live somewhere: before the door; behind it, it would take from what is measured, and hear every answer late. It interrupts nobody there. Where door
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

/** Throws, as the next one, where the program is missing or may not do it. A process that has ended meanwhile needs no core. */
export function settle(pid: number, cores: string): void {
  run("taskset", ["--all-tasks", "--cpu-list", "--pid", cores, String(pid)]);
}

/**
 * The process, and threads it starts later, no longer interrupt others when something arrives for them (SCHED_BATCH, sched(7)); their share of the core
 * stays what it was. For a crowd beside the edge: it stands for merchants elsewhere, and what is sent to them interrupts nobody here. Otherwise each answer
 * that leaves the edge makes room for the crowd at once, thousands of times a second.
 */
export function standBack(pid: number): void {
  run("chrt", ["--all-tasks", "--batch", "--pid", "0", String(pid)]);
}

/** What the two say of a process that is no more: the first in the process itself, the second in the list of its threads. */
const hasEnded = /No such process|No such file or directory/;

function run(program: string, words: readonly string[]): void {
  try {
    execFileSync(program, words, { stdio: ["ignore", "ignore", "pipe"] });
  } catch (thrown) {
    if (!hasEnded.test(String(thrown))) throw thrown;
  }
}
