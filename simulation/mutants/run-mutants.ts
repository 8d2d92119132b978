/**
 * `npm run simulate:mutants`: plants every bug of the catalogue, one at a time, and prints which seed and which check caught it.
 *
 * Ends with 1 when one survives, when a run said nothing (a bug that was never loaded, a crash without a violated check), or when the code
 * as it is fails on the seeds that the catches needed: a table without its control proves nothing.
 *
 * --seeds N (most tried per bug, default 500) · --payments P · --only name,name · --workers W (default: cores, at most 4)
 * --guarded: the bugs that another layer covers instead; ends with 1 when one of them is caught, because then it belongs into the catalogue.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { guardedTwice } from "./catalogue/guarded-twice.ts";
import { mutants } from "./catalogue/index.ts";
import { type Catch, hunt, type Limits } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";

const seedsDefault = 500;
const workersMax = 4;
const timeoutMs = 300_000;
const wordsShown = 90;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    payments: { type: "string" },
    only: { type: "string" },
    workers: { type: "string" },
    guarded: { type: "boolean", default: false },
  },
});
const limits: Limits = {
  seedsMax: Number(values.seeds ?? seedsDefault),
  payments: values.payments === undefined ? undefined : Number(values.payments),
  timeoutMs,
};
const wanted: Catch["kind"] = values.guarded ? "survived" : "caught";
const chosen = choose(values.guarded ? guardedTwice : mutants, values.only);
const startedMs = performance.now();
const catches = await huntAll(chosen, Number(values.workers ?? Math.min(availableParallelism(), workersMax)));
process.exitCode = (await report()) ? 0 : 1;

function choose(all: readonly Mutant[], only: string | undefined): readonly Mutant[] {
  if (only === undefined) return all;
  return only.split(",").map((name) => {
    const mutant = all.find((one) => one.name === name);
    if (mutant === undefined) throw new Error(`no such mutant: ${name}; there are ${all.map((one) => one.name).join(", ")}`);
    return mutant;
  });
}

/** So many at once; each is a process of its own. */
async function huntAll(all: readonly Mutant[], workers: number): Promise<ReadonlyMap<Mutant, Catch>> {
  const found = new Map<Mutant, Catch>();
  const waiting = [...all];
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const result = await hunt(mutant, limits);
      found.set(mutant, result);
      process.stderr.write(`${String(found.size).padStart(3)}/${all.length} ${mutant.name}: ${inShort(result).slice(0, wordsShown)}\n`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return found;
}

async function report(): Promise<boolean> {
  const all = chosen.map((mutant) => ({ mutant, result: catches.get(mutant) ?? ({ kind: "broken", why: "not run" } as const) }));
  const seeds = all.flatMap(({ result }) => (result.kind === "caught" ? [result.seeds] : [])).sort((left, right) => left - right);
  const most = seeds.at(-1) ?? 1;
  const control = await hunt(undefined, { ...limits, seedsMax: most });
  print("| mutant | file | bug | caught | seeds | by |\n| --- | --- | --- | --- | --- | --- |");
  for (const { mutant, result } of all) print(rowOf(mutant, result));
  const isClean = control.kind === "survived";
  print(`\ncontrol: the code as it is ${isClean ? `passes the same ${most} seeds` : `does not pass: ${inShort(control)}`}`);
  const median = seeds[Math.floor((seeds.length - 1) / 2)] ?? 0;
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  print(`${seeds.length} of ${all.length} caught; seeds: median ${median}, most ${seeds.length === 0 ? 0 : most}; ${seconds} s`);
  return isClean && all.every(({ result }) => result.kind === wanted);
}

function rowOf({ name, file, about }: Mutant, result: Catch): string {
  const isCaught = result.kind === "caught";
  const seeds = isCaught ? String(result.seeds) : `> ${limits.seedsMax}`;
  const words = result.kind === "caught" ? result.violation : result.kind === "broken" ? result.why : "";
  const cells = [name, file, about, isCaught ? "yes" : result.kind === wanted ? "no" : "**no**", seeds, words.slice(0, wordsShown)];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function inShort(result: Catch): string {
  if (result.kind === "caught") return `seed ${result.seeds}: ${result.violation}`;
  return result.kind === "broken" ? `BROKEN: ${result.why}` : "SURVIVED";
}
