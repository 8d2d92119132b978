/**
 * `npm run simulate -- --seeds 2000 [--first 1] [--payments 200] [--workers 2]`: runs seeds and prints what was found. Ends with 1 and a
 * line for each check that failed.
 *
 * `npm run simulate -- --seed 17 --trace`: replays one seed and prints its trace, line by line; without `--trace` only its verdict.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { faultKinds } from "./faults.ts";
import { runSeed } from "./run-seed.ts";
import { type SeedReport, simulate } from "./simulation-threads.ts";

const options = {
  seeds: { type: "string", default: "100" },
  first: { type: "string", default: "1" },
  payments: { type: "string", default: "200" },
  workers: { type: "string", default: String(availableParallelism()) },
  seed: { type: "string" },
  trace: { type: "boolean", default: false },
} as const;

/** Of one seed: mostly one fault has many. */
const violationsShown = 10;

const { values } = parseArgs({ options });
const violated = values.seed === undefined ? await runMany() : await runOne(wholeNumber("seed", values.seed));
process.exitCode = violated === 0 ? 0 : 1;

async function runOne(seed: number): Promise<number> {
  const onNote = values.trace ? print : undefined;
  const { violations, traceHash, events } = await runSeed({
    seed,
    payments: wholeNumber("payments", values.payments),
    ...(onNote && { onNote }),
  });
  for (const violation of violations) print(`seed ${seed}: ${violation}`);
  print(`seed ${seed}: ${events} events, trace hash ${traceHash}, ${violations.length} violations`);
  return violations.length;
}

async function runMany(): Promise<number> {
  const payments = wholeNumber("payments", values.payments);
  const startedMs = performance.now();
  const reports = await simulate({
    first: wholeNumber("first", values.first),
    seeds: wholeNumber("seeds", values.seeds),
    payments,
    threads: wholeNumber("workers", values.workers),
    onReport: ({ seed, violations }) => {
      if (violations.length > 0) print(violationLines(seed, violations));
    },
  });
  const violatedSeeds = reports.filter(({ violations }) => violations.length > 0).length;
  print(summaryOf(reports, payments, performance.now() - startedMs));
  return violatedSeeds;
}

/** In one piece: who reads along and stops at the first line has the others, too. */
function violationLines(seed: number, violations: readonly string[]): string {
  const more = violations.length - violationsShown;
  return [...violations.slice(0, violationsShown), ...(more > 0 ? [`and ${more} more`] : [])]
    .map((line) => `seed ${seed}: ${line}`)
    .join("\n");
}

function summaryOf(reports: readonly SeedReport[], payments: number, elapsedMs: number): string {
  const sum = (of: (report: SeedReport) => number) => reports.reduce((total, report) => total + of(report), 0);
  const simulated = reports.length * payments;
  const fired = new Map<string, number>();
  for (const report of reports) for (const [kind, times] of report.fired) fired.set(kind, (fired.get(kind) ?? 0) + times);
  const faults = faultKinds.map((kind) => `  ${kind.padEnd(28)}${String(fired.get(kind) ?? 0).padStart(9)}`);
  return [
    `seeds            ${reports.length}`,
    `payments         ${simulated}`,
    `rows of the log  ${sum(({ rows }) => rows)}`,
    `events           ${sum(({ events }) => events)}`,
    `slowest recovery ${Math.round(Math.max(0, ...reports.map(({ recoveryMs }) => recoveryMs)) / 1_000)} simulated s`,
    "faults fired",
    ...faults,
    `elapsed          ${(elapsedMs / 1_000).toFixed(1)} s`,
    `payments/s/core  ${Math.round((simulated * 1_000) / sum(({ cpuMs }) => cpuMs))}`,
    `violations       ${reports.filter(({ violations }) => violations.length > 0).length} seeds`,
  ].join("\n");
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} is a whole number`);
  return Number(text);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
