/** A worker for workers.test.ts: the member says what to do. */
import { threadId, workerData } from "node:worker_threads";
import { AppError } from "@florin/kernel";
import { workerTask } from "../../src/workers/index.ts";

let membersSeen = 0;

export const run = workerTask((member: string): string => {
  membersSeen += 1;
  if (member === "die") process.exit(3);
  if (member === "hang") for (;;);
  if (member === "refuse") throw new AppError("parameter_invalid", "no", { work: "not_done", param: "member" });
  if (member === "bug") throw new TypeError("inner detail");
  if (member === "where") return `${threadId}`;
  if (member === "given") return String(workerData);
  return `${member}:${membersSeen}`;
});
