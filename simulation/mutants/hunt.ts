/** Runs the simulation with one bug planted, seed after seed, until a check fails. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { editsOf, type Mutant, mutantVariable, plantedMark } from "./mutant.ts";

export type Limits = {
  /** Seeds tried at most, from 1. */
  readonly seedsMax: number;
  /** Payments of each seed; undefined: as the simulation has it. */
  readonly payments: number | undefined;
  readonly timeoutMs: number;
  /** What the bug is to be caught by: other violations are passed over. Absent: any. */
  readonly by?: RegExp;
};

export type Catch =
  /** `violation`: the words of the check. */
  | { readonly kind: "caught"; readonly seeds: number; readonly violation: string }
  | { readonly kind: "survived" }
  /** The run says nothing about the bug: it was not planted, or the simulation ended without a word. */
  | { readonly kind: "broken"; readonly why: string };

const simulate = fileURLToPath(new URL("../src/simulate.ts", import.meta.url));
const preload = new URL("plant-mutant.ts", import.meta.url).href;
const violationLine = /^seed (\d+): (.+)$/;
const lastWordsMax = 300;

/** `mutant` undefined: the code as it is, the control. Never rejects. */
export async function hunt(mutant: Mutant | undefined, limits: Limits): Promise<Catch> {
  const planting = mutant === undefined ? [] : ["--import", preload];
  const payments = limits.payments === undefined ? [] : ["--payments", String(limits.payments)];
  const words = [...planting, simulate, "--seeds", String(limits.seedsMax), "--first", "1", "--workers", "1", ...payments];
  const env = { ...process.env, ...(mutant !== undefined && { [mutantVariable]: mutant.name }) };
  const child = spawn(process.execPath, words, {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limits.timeoutMs,
    killSignal: "SIGKILL",
  });
  const planted = new Set<string>();
  let found: Catch | undefined;
  let lastWords = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [, seed, violation] = violationLine.exec(line) ?? [];
    if (seed === undefined || violation === undefined || found !== undefined || limits.by?.test(violation) === false) return;
    found = { kind: "caught", seeds: Number(seed), violation };
    child.kill("SIGKILL");
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (line.startsWith(plantedMark)) planted.add(line.slice(plantedMark.length).trim());
    else lastWords = `${lastWords} ${line.trim()}`.slice(-lastWordsMax);
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once("error", (thrown) => {
      lastWords = thrown.message;
      resolve([null, null]);
    });
    child.once("close", (...ending) => resolve(ending));
  });
  const missing = mutant === undefined ? undefined : editsOf(mutant).find(({ file }) => !planted.has(file));
  if (missing !== undefined) return { kind: "broken", why: `${missing.file} was never loaded.${lastWords}` };
  if (found !== undefined) return found;
  if (code === 0) return { kind: "survived" };
  if (signal !== null) return { kind: "broken", why: `no end within ${limits.timeoutMs / 1_000} s.${lastWords}` };
  return { kind: "broken", why: `the simulation ended with ${code} and named no check.${lastWords}` };
}
