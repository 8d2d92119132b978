/**
 * Runs one scenario. What the merchants were told goes to a file, one line per call (k6's console, raw): far cheaper than k6's own
 * sample output, which writes a dozen records per request.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { rootFolder } from "../stack/own-stack.ts";
import type { UpFile } from "../stack/up-file.ts";
import type { LoadtestOptions } from "./options.ts";

export type K6Run = {
  readonly binary: string;
  readonly up: UpFile;
  readonly options: LoadtestOptions;
  readonly runId: string;
  readonly tokens: readonly string[];
  readonly linesFile: string;
};

/** k6's exit code: 0, or 99 when a threshold was missed. */
export async function runK6(run: K6Run): Promise<number> {
  const { options, up } = run;
  const script = join(rootFolder, "loadtest", "k6", `${options.scenario}.ts`);
  const words = ["run", "--log-format", "raw", "--console-output", run.linesFile, "--no-usage-report", script];
  const child = spawn(run.binary, words, {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      FLORIN_EDGE_URL: up.edgeUrl,
      FLORIN_SECRET_KEY: up.secretKey,
      FLORIN_RUN_ID: run.runId,
      FLORIN_TOKENS: run.tokens.join(","),
      FLORIN_RATE: options.rate ?? "",
      FLORIN_DURATION: options.duration ?? "",
      FLORIN_VUS: options.users ?? "",
    },
  });
  // k6 ends its scenario in order at the first signal; what was accepted until then is verified.
  const forward = () => child.kill("SIGINT");
  process.on("SIGINT", forward).on("SIGTERM", forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : 1));
    });
  } finally {
    process.off("SIGINT", forward).off("SIGTERM", forward);
  }
}
