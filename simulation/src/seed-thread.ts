/** A worker thread of a simulation: takes seeds one after the other and reports each. */
import { parentPort, workerData } from "node:worker_threads";
import { required } from "@florin/kernel";
import { runSeed } from "./run-seed.ts";
import type { SeedReport, ThreadTask } from "./simulation-threads.ts";

// Faults are errors by the hundred thousand, and a tenth of the time went into their stacks. A seed that is replayed (`--seed`) has them.
Error.stackTraceLimit = 0;

const port = required(parentPort ?? undefined, "the thread that started this one");
const { seeds, payments } = workerData as ThreadTask;

for (const seed of seeds) {
  const before = process.threadCpuUsage();
  const { violations, traceHash, fired, events, rows, recoveryMs } = await runSeed({ seed, payments });
  const { user, system } = process.threadCpuUsage(before);
  const report: SeedReport = { seed, violations, traceHash, fired: [...fired], events, rows, recoveryMs, cpuMs: (user + system) / 1_000 };
  port.postMessage(report);
}
