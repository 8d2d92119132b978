/**
 * A whole stack for one test file: started with the command that users type, in a folder of its own, on ports of its own.
 *
 * Nothing here knows how the stack is made; it reads what `up` wrote, as a merchant's developer would.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram, freePortBlock } from "@florin/runtime/testing";

/** With CI=true a missing server is an error here. */
export const hasFullProfile = findProgram("redis-server") !== undefined && findProgram("nats-server") !== undefined;

const root = new URL("../../", import.meta.url).pathname;

export type UpFile = {
  readonly edgeUrl: string;
  readonly vaultUrl: string;
  readonly simulatorUrl: string;
  readonly simulatorIso8583Url: string;
  readonly secretKey: string;
  readonly publishableKey: string;
  readonly databaseUrl: string;
  readonly redisUrl: string | null;
  readonly natsUrl: string | null;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
};

export type Stack = UpFile & { readonly directory: string; stop(): Promise<void> };

export type Answer = { readonly status: number; readonly headers: Headers; readonly text: string; readonly body: Record<string, unknown> };

/** Its edge's, and what follows from it. */
const portsOfStack = 40;

/** Starts a stack and waits until it took its first payment. `env` reaches every process; one that dies is started again where `restarts` says so. */
export async function startStack(o: {
  readonly profile: "embedded" | "full";
  readonly env?: Readonly<Record<string, string>>;
  readonly restarts?: boolean;
}): Promise<Stack> {
  const directory = mkdtempSync(join(tmpdir(), "florin-stack-"));
  const common = ["--directory", directory];
  const restart = o.restarts === true ? ["--restart"] : [];
  const port = String(await freePortBlock(portsOfStack));
  await florin(["up", "--detach", "--profile", o.profile, "--port", port, ...restart, ...common], o.env);
  const up = JSON.parse(readFileSync(join(directory, "up.json"), "utf8")) as UpFile;
  return {
    ...up,
    directory,
    async stop() {
      await florin(["down", ...common]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function florin(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const child = spawn(process.execPath, ["scripts/bootstrap.mjs", ...words], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => output.push(chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
  if (code !== 0) throw new Error(`florin ${words.join(" ")} ended with ${code}:\n${output.join("")}`);
}

/** One REST call as a merchant makes it. A fresh idempotency key unless one is given. */
export async function call(
  stack: UpFile,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
  o: { readonly key?: string; readonly secretKey?: string } = {},
): Promise<Answer> {
  const headers: Record<string, string> = { authorization: `Bearer ${o.secretKey ?? stack.secretKey}` };
  if (method === "POST") {
    headers["content-type"] = "application/json";
    headers["idempotency-key"] = o.key ?? randomUUID();
  }
  const response = await fetch(stack.edgeUrl + path, {
    method,
    headers,
    ...(method === "POST" ? { body: JSON.stringify(body ?? {}) } : {}),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as Record<string, unknown> };
}

/** Repeats a call with its key while the answer is 202, as the API asks its users to. */
export async function callUntilDecided(stack: UpFile, path: string, body: unknown, key: string, triesMax = 40): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const answer = await call(stack, "POST", path, body, { key });
    if (answer.status !== 202 || tries >= triesMax) return answer;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** A token for a card number, made at the vault's own origin with the publishable key. */
export async function tokenize(stack: UpFile, number: string, card: Readonly<Record<string, unknown>> = { cvc: "123" }): Promise<string> {
  const response = await fetch(`${stack.vaultUrl}/v1/tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${stack.publishableKey}`, "content-type": "application/json" },
    body: JSON.stringify({ card: { number, exp_month: 12, exp_year: 2035, ...card } }),
  });
  const body = (await response.json()) as { id?: string };
  if (response.status !== 201 || body.id === undefined) throw new Error(`the vault answered ${response.status}`);
  return body.id;
}

/** The bodies of R26. */
export function authorizeBody(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    amount: 10_000,
    currency: "EUR",
    payment_method: { type: "card", token: "tok_visa_4242" },
    capture_mode: "manual",
    merchant_reference: `order-${randomUUID()}`,
    ...changes,
  };
}

export async function untilTrue(check: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not true within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
