/** Spreads seeds over worker threads. A run depends on its seed alone, so which thread takes it makes no difference. */
import { Worker } from "node:worker_threads";
import type { FaultKind } from "./faults.ts";

export type ThreadTask = { readonly seeds: readonly number[]; readonly payments: number };

export type SeedReport = {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly traceHash: string;
  readonly fired: readonly (readonly [FaultKind, number])[];
  /** Events of the simulated world, and rows of its log. */
  readonly events: number;
  readonly rows: number;
  /** Simulated milliseconds from the end of the faults to the end of all work. */
  readonly recoveryMs: number;
  /** CPU of the thread that ran it. */
  readonly cpuMs: number;
};

export type SimulationOptions = {
  readonly first: number;
  readonly seeds: number;
  readonly payments: number;
  readonly threads: number;
  readonly onReport?: (report: SeedReport) => void;
};

/** Rejects when a thread fails: that is a bug of the simulation, or of code that let a promise reject unheard. */
export async function simulate({ first, seeds, payments, threads, onReport }: SimulationOptions): Promise<readonly SeedReport[]> {
  const reports: SeedReport[] = [];
  const shares = Array.from({ length: Math.min(threads, seeds) }, (_, thread): ThreadTask => {
    const own = Array.from({ length: seeds }, (_, index) => first + index).filter((_, index) => index % threads === thread);
    return { seeds: own, payments };
  });
  await Promise.all(
    shares.map(
      (task) =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL("./seed-thread.ts", import.meta.url), { workerData: task });
          worker.on("message", (report: SeedReport) => {
            reports.push(report);
            onReport?.(report);
          });
          worker.on("error", reject);
          worker.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a thread of the simulation ended with ${code}`))));
        }),
    ),
  );
  return reports.sort((left, right) => left.seed - right.seed);
}
