/**
 * Worker threads behind the batcher: one task per batch, because a task costs 17–50 µs and a member often less.
 *
 * Worth it for batches of at least 200 µs of work; shorter work stays on the loop. The batcher's queue is the only queue: piscina never
 * holds more tasks than it has threads. The threads stay (no idle time-out), so nothing thrashes.
 *
 * Invariants: "full" is an answer (`overloaded`, not_done); a thread that dies fails its own batch only, with `unavailable`, unknown,
 * and is replaced; a batch that outlasts `batchTimeoutMs` loses its thread and gets `deadline_exceeded`, unknown. Members and values
 * are copied by structured clone: plain values only.
 */
import { AppError } from "@florin/kernel";
import { Piscina } from "piscina";
import { type Batcher, createBatcher, type Settled } from "../batch/index.ts";
import { fromWireFault, type WireSettled } from "./protocol.ts";

export type WorkerBatcherOptions = {
  /** Used in error messages: "fraud-model". */
  readonly name: string;
  /** The worker file, which exports `run` made by `workerTask`: `new URL("./score.worker.ts", import.meta.url)`. */
  readonly filename: URL;
  /** Members in one task. */
  readonly batchMax: number;
  /** Members waiting; beyond it `submit` is answered `overloaded`, not_done. */
  readonly queueDepthMax: number;
  /** Worker threads, started at once and kept. */
  readonly threadsMax: number;
  /** A batch that runs longer (ms) loses its thread. Default 30,000. */
  readonly batchTimeoutMs?: number;
  /** Handed to every thread as `workerData`. */
  readonly workerData?: unknown;
};

const batchTimeoutMsDefault = 30_000;

/** `close` waits for the accepted members, then ends the threads. */
export function createWorkerBatcher<In, Out>(o: WorkerBatcherOptions): Batcher<In, Out> {
  const pool = new Piscina({
    filename: o.filename.href,
    name: "run",
    minThreads: o.threadsMax,
    maxThreads: o.threadsMax,
    concurrentTasksPerWorker: 1,
    // A worker's own event loop goes on between tasks.
    atomics: "disabled",
    workerData: o.workerData,
  });
  const batcher = createBatcher<In, Out>({
    name: o.name,
    batchMax: o.batchMax,
    queueDepthMax: o.queueDepthMax,
    concurrencyMax: o.threadsMax,
    run: (members) => runBatch(pool, o, members),
  });
  return {
    submit: (member) => batcher.submit(member),
    get depth() {
      return batcher.depth;
    },
    get inFlight() {
      return batcher.inFlight;
    },
    takeDepthPeak: () => batcher.takeDepthPeak(),
    close: async () => {
      await batcher.close();
      await pool.destroy();
    },
  };
}

async function runBatch<In, Out>(pool: Piscina, o: WorkerBatcherOptions, members: readonly In[]): Promise<readonly Settled<Out>[]> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), o.batchTimeoutMs ?? batchTimeoutMsDefault);
  timer.unref();
  try {
    const answers = (await pool.run(members, { signal: controller.signal })) as readonly WireSettled<Out>[];
    return answers.map((answer) => (answer.ok ? answer : { ok: false, error: fromWireFault(answer.fault) }));
  } catch (cause) {
    if (controller.signal.aborted) throw new AppError("deadline_exceeded", `${o.name}: a batch took too long`, { work: "unknown", cause });
    throw new AppError("unavailable", `${o.name}: a worker thread was lost`, { work: "unknown", cause });
  } finally {
    clearTimeout(timer);
  }
}
