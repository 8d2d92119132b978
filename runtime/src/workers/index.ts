export { createWorkerBatcher, type WorkerBatcherOptions } from "./worker-batcher.ts";
export { workerTask } from "./worker-task.ts";
