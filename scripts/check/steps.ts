/**
 * Steps of a check: each one runs, whatever happened to the others, and all of them are told at the end.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { constants, getPriority, setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { rootFolder } from "../root-folder.ts";
import { addCounts, type Counts, noCounts, oneFailed, onePassed, parseCounts, renderCounts } from "./counts.ts";
import { noteDuration } from "./durations.ts";
import { gatherFailures, noteFailure } from "./failures.ts";

/** Where the commands of a step write: with ours, or into an open file. */
type Output = "inherit" | number;
export type Step = {
  readonly title: string;
  readonly run: (output: Output) => Promise<Counts>;
  /** What failed in it is noted where it happens (counting-reporter.ts). */
  readonly isNotedInside?: boolean;
};
const seeAbove = "what it printed stands above";
type Ended = { readonly step: Step; readonly counts: Counts; readonly durationMs: number };

/**
 * Runs the steps one after the other and prints what failed and the closing line. Answers the totals.
 *
 * Steps in a list of their own run at once: the first as usual, the others beside it; what they print follows when they have ended.
 */
export async function runSteps(steps: readonly (Step | readonly [Step, ...Step[]])[]): Promise<Counts> {
  const failures = gatherFailures();
  const ended: Ended[] = [];
  try {
    for (const entry of steps) {
      const [first, ...others] = "title" in entry ? [entry] : entry;
      const beside = others.map(runBeside);
      console.log(`\n── ${first.title}`);
      ended.push(await runStep(first, "inherit"), ...(await Promise.all(beside)));
    }
    if (failures.text() !== "") console.log(`\n── what failed\n${failures.text()}`);
  } finally {
    failures.close();
  }
  console.log(`\n${ended.map(renderEnded).join("\n")}\n`);
  const total = ended.reduce((sum, { counts }) => addCounts(sum, counts), noCounts);
  console.log(renderCounts(total));
  return total;
}

async function runStep(step: Step, output: Output): Promise<Ended> {
  const startedAtMs = performance.now();
  let thrown: string | undefined;
  const counts = await step.run(output).catch((reason: unknown) => {
    thrown = reason instanceof Error ? reason.message : String(reason);
    console.error(thrown);
    return oneFailed;
  });
  if (thrown !== undefined || (counts.failed > 0 && step.isNotedInside !== true)) noteFailure(step.title, thrown ?? seeAbove);
  const durationMs = performance.now() - startedAtMs;
  noteDuration("step", step.title, durationMs);
  return { step, counts, durationMs };
}

async function runBeside(step: Step): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), "florin-step-"));
  const file = join(folder, "output");
  const output = openSync(file, "w");
  try {
    const ended = await runStep(step, output);
    console.log(`\n── ${step.title}\n${readFileSync(file, "utf8")}`);
    return ended;
  } finally {
    closeSync(output);
    rmSync(folder, { recursive: true, force: true });
  }
}

function renderEnded({ step, counts, durationMs }: Ended): string {
  const seconds = (durationMs / 1_000).toFixed(1);
  const many = counts.passed + counts.failed > 1 ? `, ${renderCounts(counts)}` : "";
  return `${counts.failed === 0 ? "ok    " : "FAILED"} ${step.title} (${seconds} s${many})`;
}

export function commandStep(title: string, file: string, words: readonly string[]): Step {
  return { title, run: async (output) => ((await runCommand(file, words, { output })) === 0 ? onePassed : oneFailed) };
}

export type VitestOptions = {
  readonly projects: readonly string[];
  /** As typed behind `npm test --`. */
  readonly words?: readonly string[];
  /** Whoever else computes comes first. */
  readonly isPatient?: boolean;
};

/** Runs vitest projects; the tests themselves are what is counted. */
export function vitestStep(title: string, { projects, words = [], isPatient = false }: VitestOptions): Step {
  const reporters = ["--reporter=dot", "--reporter=./scripts/check/counting-reporter.ts"];
  const all = ["run", ...projects.flatMap((project) => ["--project", project]), ...reporters, ...words];
  return {
    title,
    isNotedInside: true,
    run: async (output) => {
      const folder = mkdtempSync(join(tmpdir(), "florin-counts-"));
      const file = join(folder, "counts");
      try {
        const code = await runCommand("vitest", all, { output, isPatient, env: { FLORIN_COUNTS_FILE: file } });
        const counts = existsSync(file) ? parseCounts(readFileSync(file, "utf8")) : undefined;
        if (counts === undefined) throw new Error(`vitest ended with ${code} without a result`);
        if (code === 0 || counts.failed > 0) return counts;
        noteFailure(title, `vitest ended with ${code} and no failed test; ${seeAbove}`);
        return addCounts(counts, oneFailed);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

export type CommandOptions = {
  readonly output?: Output;
  readonly isPatient?: boolean;
  readonly env?: Readonly<Record<string, string>>;
};

/** Exit code of a command that runs in the root folder, with our output unless told otherwise; a command that is missing is an Error. */
export function runCommand(file: string, words: readonly string[], options: CommandOptions = {}): Promise<number> {
  const { output = "inherit", isPatient = false, env = {} } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, words, { cwd: rootFolder, stdio: ["ignore", output, output], env: { ...process.env, ...env } });
    if (isPatient) comeAfterOthers(child.pid);
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

/** What the process starts later inherits it. Nothing to do where we come after others ourselves; going up again is for root only. */
function comeAfterOthers(pid: number | undefined): void {
  const { PRIORITY_BELOW_NORMAL: patient } = constants.priority;
  if (pid !== undefined && getPriority() < patient) setPriority(pid, patient);
}
