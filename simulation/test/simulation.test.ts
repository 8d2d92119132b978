/** Seeds on every change: 2,000 of them where CI is set, a tenth of that at a desk. */
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { faultKinds } from "../src/faults.ts";
import { simulate } from "../src/simulation-threads.ts";

const isCi = process.env["CI"] === "true";
const seeds = isCi ? 2_000 : 200;
const payments = 200;
const run = promisify(execFile);
const command = fileURLToPath(new URL("../src/simulate.ts", import.meta.url));

// With one free core, and others first, as in `npm test`.
test("every seed keeps every promise, and every fault has fired", { timeout: 1_800_000 }, async () => {
  const reports = await simulate({ first: 1, seeds, payments, threads: availableParallelism() });
  expect(reports.flatMap(({ seed, violations }) => violations.map((violation) => `seed ${seed}: ${violation}`))).toEqual([]);
  const fired = new Set(reports.flatMap((report) => report.fired.map(([kind]) => kind)));
  expect(faultKinds.filter((kind) => !fired.has(kind))).toEqual([]);
});

test("the same seed gives the same trace in another process, other seeds give others", { timeout: 120_000 }, async () => {
  const chosen = [3, 17, 29, 101, 2_026];
  const hashOf = async (seed: number) => {
    const { stdout } = await run(process.execPath, [command, "--seed", String(seed)]);
    return /trace hash ([0-9a-f]{16})/.exec(stdout)?.[1] ?? stdout;
  };
  const inOne = await Promise.all(
    chosen.map(async (seed) => (await simulate({ first: seed, seeds: 1, payments, threads: 1 })).map(({ traceHash }) => traceHash)),
  );
  const inOthers = [];
  for (const seed of chosen) inOthers.push([await hashOf(seed)]);
  expect(inOthers).toEqual(inOne);
  expect(new Set(inOne.flat()).size).toBe(chosen.length);
});

test("a seed of before says the same within a run of many", { timeout: 120_000 }, async () => {
  const many = await simulate({ first: 10, seeds: 4, payments, threads: 1 });
  const [alone] = await simulate({ first: 13, seeds: 1, payments, threads: 1 });
  expect(many.at(-1)?.traceHash).toBe(alone?.traceHash);
});

test("the trace of a seed is printed line by line, and ends with its verdict", { timeout: 60_000 }, async () => {
  const { stdout } = await run(process.execPath, [command, "--seed", "17", "--payments", "20", "--trace"], { maxBuffer: 16 * 1_024 ** 2 });
  const lines = stdout.trimEnd().split("\n");
  expect(lines.filter((line) => line.includes(" committed authorization_requested "))).not.toHaveLength(0);
  expect(lines.at(-1)).toMatch(/^seed 17: \d+ events, trace hash [0-9a-f]{16}, 0 violations$/);
});
