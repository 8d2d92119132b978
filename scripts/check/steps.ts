/**
 * Steps of a check: each one runs, whatever happened to the others, and all of them are told at the end.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootFolder } from "../root-folder.ts";
import { addCounts, type Counts, noCounts, oneFailed, onePassed, parseCounts, renderCounts } from "./counts.ts";

export type Step = { readonly title: string; readonly run: () => Promise<Counts> };

/** Runs the steps one after the other and prints the closing line. Answers the totals. */
export async function runSteps(steps: readonly Step[]): Promise<Counts> {
  let total = noCounts;
  const summary: string[] = [];
  for (const step of steps) {
    console.log(`\n── ${step.title}`);
    const startedAtMs = Date.now();
    const counts = await step.run().catch((thrown: unknown) => {
      console.error(thrown instanceof Error ? thrown.message : thrown);
      return oneFailed;
    });
    total = addCounts(total, counts);
    const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(1);
    summary.push(
      `${counts.failed === 0 ? "ok    " : "FAILED"} ${step.title} (${seconds} s${counts.passed + counts.failed > 1 ? `, ${renderCounts(counts)}` : ""})`,
    );
  }
  console.log(`\n${summary.join("\n")}\n`);
  console.log(renderCounts(total));
  return total;
}

export function commandStep(title: string, file: string, words: readonly string[]): Step {
  return { title, run: async () => ((await runCommand(file, words)) === 0 ? onePassed : oneFailed) };
}

/** Runs one vitest project; the tests themselves are what is counted. */
export function vitestStep(title: string, project: string, words: readonly string[] = []): Step {
  return {
    title,
    run: async () => {
      const folder = mkdtempSync(join(tmpdir(), "florin-counts-"));
      const file = join(folder, "counts");
      try {
        const reporters = ["--reporter=dot", "--reporter=./scripts/check/counting-reporter.ts"];
        const code = await runCommand("vitest", ["run", "--project", project, ...reporters, ...words], { FLORIN_COUNTS_FILE: file });
        const counts = existsSync(file) ? parseCounts(readFileSync(file, "utf8")) : undefined;
        if (counts === undefined) throw new Error(`vitest ended with ${code} without a result`);
        return code !== 0 && counts.failed === 0 ? addCounts(counts, oneFailed) : counts;
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** Exit code of a command that runs in the root folder with our output; a command that is missing is an Error. */
export function runCommand(file: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, words, { cwd: rootFolder, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env } });
    const forward = (signal: NodeJS.Signals): void => {
      child.kill(signal);
    };
    process.on("SIGTERM", forward);
    child.once("error", reject);
    child.once("exit", (code) => {
      process.off("SIGTERM", forward);
      resolve(code ?? 1);
    });
  });
}
