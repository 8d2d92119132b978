/**
 * `npm run bench`: what an authorization costs, end to end, on this machine. Words: bench/options.ts. What the figures mean: README.md.
 *
 * Ends with 1 when a gate is missed or a run is void.
 */

import { voidReason } from "./bench/measure.ts";
import { runBench } from "./bench/modes.ts";
import { readBenchOptions } from "./bench/options.ts";
import { printReport } from "./bench/report.ts";

async function main(): Promise<number> {
  const options = readBenchOptions(process.argv.slice(2));
  if (process.platform !== "linux") throw new Error("the bench reads CPU times from /proc: it runs on Linux");
  const report = await runBench(options);
  if (options.isJson) console.log(JSON.stringify(report, null, 2));
  else printReport(report);
  const isVoid = report.runs.some(({ figures }) => voidReason(figures) !== undefined);
  return isVoid || report.gates.some(({ passed }) => !passed) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (thrown) {
  console.error(`florin: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 1;
}
