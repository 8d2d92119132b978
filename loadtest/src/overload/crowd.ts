/** Runs a crowd once in a process of its own; `read` is called when its measured time begins and when it ends. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { interruptNobody, settle, standBack } from "./cores.ts";
import type { CrowdPlan, CrowdResult, FromCrowd } from "./plan.ts";

const processFile = fileURLToPath(new URL("crowd-process.ts", import.meta.url));

export type Crowded<Reading> = { readonly result: CrowdResult; readonly before: Reading; readonly after: Reading };

export type Place = {
  /** Where it shall compute, as taskset(1) reads it. */
  readonly cores: string;
  /**
   * To the edge on the same cores: `crowd` always gives way, `clients` interrupt nobody, `witness` is a process as any other, so that it hears an answer when
   * it has come.
   */
  readonly manners: "crowd" | "clients" | "witness";
};

/** Without a place it computes anywhere, as any other process. */
export async function crowd<Reading>(plan: CrowdPlan, read: () => Promise<Reading> | Reading, place?: Place): Promise<Crowded<Reading>> {
  const child = fork(processFile, { stdio: ["ignore", "inherit", "inherit", "ipc"], detached: place?.manners === "crowd" });
  if (place !== undefined && child.pid !== undefined) {
    settle(child.pid, place.cores);
    if (place.manners === "crowd") standBack(child.pid);
    else if (place.manners === "clients") interruptNobody(child.pid);
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
