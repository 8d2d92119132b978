/** Runs the generator once and takes two readings around its measured time. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromGenerator, Plan, Result } from "./plan.ts";

const generatorFile = fileURLToPath(new URL("generator.ts", import.meta.url));

export type Driven<Reading> = {
  readonly result: Result;
  readonly before: Reading;
  readonly after: Reading /** Answers between the readings. */;
  readonly answers: number;
};

/** `read` is called when the measured time begins and when it ends; it should be quick. */
export async function drive<Reading>(plan: Plan, read: () => Promise<Reading> | Reading): Promise<Driven<Reading>> {
  const child = fork(generatorFile, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const { promise, resolve, reject } = Promise.withResolvers<Driven<Reading>>();
  let before: Promise<Reading> | undefined;
  let after: Promise<Reading> | undefined;
  let answers = 0;
  child.on("message", (message: FromGenerator) => {
    if (message.kind === "measuring") before = Promise.resolve(read());
    else if (message.kind === "measured") {
      after = Promise.resolve(read());
      answers = message.answers;
    } else if (before !== undefined && after !== undefined) {
      const { result } = message;
      Promise.all([before, after]).then(([first, second]) => resolve({ result, before: first, after: second, answers }), reject);
    }
  });
  child.once("error", reject);
  child.once("exit", (code) => code !== 0 && reject(new Error(`the generator ended with ${code}`)));
  child.send(plan);
  try {
    return await promise;
  } finally {
    if (child.connected) child.disconnect();
    if (child.exitCode === null) child.kill();
  }
}
