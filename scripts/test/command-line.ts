/** The commands that users type, run as they type them, for the tests of this folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { rootFolder } from "../root-folder.ts";
import type { UpFile } from "../up/state-files.ts";

export type Finished = { readonly code: number | null; readonly output: string };

/** Starts `node scripts/bootstrap.mjs <words>` and collects what it prints. */
export function startCommand(words: readonly string[]): {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  output(): string;
} {
  const child = spawn(process.execPath, ["scripts/bootstrap.mjs", ...words], { cwd: rootFolder, stdio: ["ignore", "pipe", "pipe"] });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  const output = (): string => chunks.join("");
  const finished = new Promise<Finished>((resolve) => child.once("close", (code) => resolve({ code, output: output() })));
  return { child, finished, output };
}

export function runCommandLine(words: readonly string[]): Promise<Finished> {
  return startCommand(words).finished;
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

/** A free port with free ones above it, most likely; `up` replaces those that are not. */
export function freeBasePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(Math.min(port, 60_000)));
    });
  });
}
