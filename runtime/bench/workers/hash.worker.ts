/** The worker of workers.bench.ts. */
import { hash } from "node:crypto";
import { workerTask } from "../../src/workers/index.ts";

export const run = workerTask((member: string): string => hash("sha256", member));
