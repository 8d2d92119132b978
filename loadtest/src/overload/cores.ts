/**
 * Who computes where while a crowd is measured: the edge on one half of the cores, what is behind the door on the other.
 *
 * On one machine every no takes from what a yes is made of, which tells of the machine: where a crowd is expected, edges have machines of their own,
 * because they hold nothing. Apart, what is measured is the door: whether those behind it do as much, and as fast, as without the crowd. The crowd
 * itself has to live somewhere: before the door; behind it, it would take from what is measured, and hear every answer late. It gives way to the edge there. Where door
 * and crowd fill their cores (the drill says so), neither is what is measured any more: the machine is too small for that crowd.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { availableParallelism, constants, setPriority } from "node:os";
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
 * The process, and threads it starts later, interrupt nobody when something arrives for them (SCHED_BATCH, sched(7)); their share of the core stays
 * what it was. For clients beside the edge: they stand for merchants elsewhere. Otherwise each answer that leaves the edge makes room for them at once.
 */
export function interruptNobody(pid: number): void {
  run("chrt", ["--all-tasks", "--batch", "--pid", "0", String(pid)]);
}

/**
 * It has the least share of the core, too, so that the edge never waits for it. For a crowd: with an equal share it takes turns with the edge, and what
 * the edge has let in comes in bunches to those behind the door, who stand idle in between.
 *
 * It must lead a session of its own (`detached`): Linux shares cores out by session first (autogroup, sched(7)), and the share of the whole session falls.
 */
export function standBack(pid: number): void {
  interruptNobody(pid);
  unlessEnded(() => {
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), constants.priority.PRIORITY_LOW);
  });
  // A kernel without autogroups has no such file, and the threads' own priority is all there is.
  unlessEnded(() => writeFileSync(`/proc/${pid}/autogroup`, String(constants.priority.PRIORITY_LOW)));
}

/** What the system says of a process or a file that is no more. */
const isNoMore = /no such (?:process|file or directory)/i;

function run(program: string, words: readonly string[]): void {
  unlessEnded(() => execFileSync(program, words, { stdio: ["ignore", "ignore", "pipe"] }));
}

function unlessEnded(work: () => void): void {
  try {
    work();
  } catch (thrown) {
    if (!isNoMore.test(String(thrown))) throw thrown;
  }
}
