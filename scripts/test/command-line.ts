/** The commands that users type, run as they type them, for the tests of this folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePortBlock } from "@florin/runtime/testing";
import { rootFolder } from "../root-folder.ts";
import type { UpFile } from "../up/state-files.ts";

export type Finished = { readonly code: number | null; readonly output: string };

/** The caller's own servers are none of these tests' business, unless a test names them. */
const environment = { ...process.env, DATABASE_URL: "", REDIS_URL: "", NATS_URL: "" };

/** Starts `node scripts/bootstrap.mjs <words>` and collects what it prints. */
export function startCommand(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  output(): string;
} {
  const child = spawn(process.execPath, ["scripts/bootstrap.mjs", ...words], {
    cwd: rootFolder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...environment, ...env },
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  const output = (): string => chunks.join("");
  const finished = new Promise<Finished>((resolve) => child.once("close", (code) => resolve({ code, output: output() })));
  return { child, finished, output };
}

export function runCommandLine(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  return startCommand(words, env).finished;
}

/** Starts a stack, detached, on ports of its own; throws with what was printed when it does not start. */
export async function up(directory: string, words: readonly string[] = ["--profile", "embedded"], env = {}): Promise<UpFile> {
  const port = String(await freeBasePort());
  const { code, output } = await runCommandLine(["up", "--detach", "--directory", directory, "--port", port, ...words], env);
  if (code !== 0 || !output.includes("Florin is up")) throw new Error(`up ended with ${code}:\n${output}`);
  return readUp(directory);
}

export function down(directory: string): Promise<Finished> {
  return runCommandLine(["down", "--directory", directory]);
}

export function readUp(directory: string): UpFile {
  return JSON.parse(readFileSync(join(directory, "up.json"), "utf8")) as UpFile;
}

export type Answer = { readonly status: number; readonly body: Record<string, unknown> };

/** Authorizes 10.00 EUR. */
export async function authorize(up: UpFile, key: string = randomUUID()): Promise<Answer> {
  const response = await fetch(`${up.edgeUrl}/v1/payments/authorize`, {
    method: "POST",
    headers: { authorization: `Bearer ${up.secretKey}`, "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify({
      amount: 1_000,
      currency: "EUR",
      payment_method: { type: "card", token: "tok_visa_4242" },
      capture_mode: "manual",
      merchant_reference: key,
    }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

export async function getPayment(up: UpFile, id: string): Promise<Answer> {
  const response = await fetch(`${up.edgeUrl}/v1/payments/${id}`, { headers: { authorization: `Bearer ${up.secretKey}` } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** What the acquirer says about a merchant's order: how often it charged for it. */
export async function chargesOf(up: UpFile, reference: string): Promise<number> {
  const response = await fetch(`${up.simulatorUrl}/admin/books/charges?merchant_reference=${reference}`);
  return ((await response.json()) as { count: number }).count;
}

/** For the edge, with room for the parts that follow from it. */
export function freeBasePort(): Promise<number> {
  return freePortBlock(40);
}

/** True while a process with this id runs. One that nobody has collected yet has ended. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown && thrown.code === "EPERM";
  }
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return process.platform !== "linux";
  }
}
