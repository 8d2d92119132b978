/** Runs a crowd once in a process of its own; `read` is called when its measured time begins and when it ends. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { settle, standBack } from "./cores.ts";
import type { CrowdPlan, CrowdResult, FromCrowd } from "./plan.ts";

const processFile = fileURLToPath(new URL("crowd-process.ts", import.meta.url));

export type Crowded<Reading> = { readonly result: CrowdResult; readonly before: Reading; readonly after: Reading };

/** `cores`: where it shall compute, as taskset(1) reads it, beside others whom it does not interrupt there; undefined: anywhere. */
export async function crowd<Reading>(plan: CrowdPlan, read: () => Promise<Reading> | Reading, cores?: string): Promise<Crowded<Reading>> {
  const child = fork(processFile, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  if (cores !== undefined && child.pid !== undefined) {
    settle(child.pid, cores);
    standBack(child.pid);
  }
  const { promise, resolve, reject } = Promise.withResolvers<Crowded<Reading>>();
  let before: Promise<Reading> | undefined;
  let after: Promise<Reading> | undefined;
  child.on("message", (message: FromCrowd) => {
    if (message.kind === "measuring") before = Promise.resolve(read());
    else if (message.kind === "measured") after = Promise.resolve(read());
    else if (before !== undefined && after !== undefined) {
      const { result } = message;
      Promise.all([before, after]).then(([first, second]) => resolve({ result, before: first, after: second }), reject);
    }
  });
  child.once("error", reject);
  child.once("exit", (code) => code !== 0 && reject(new Error(`a crowd ended with ${code}`)));
  child.send(plan);
  try {
    return await promise;
  } finally {
    if (child.connected) child.disconnect();
    if (child.exitCode === null) child.kill();
  }
}
