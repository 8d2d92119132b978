/**
 * One of our processes as a child: started with its log in a file, watched, awaited until ready, drained.
 *
 * A child runs in a session of its own, so that Ctrl-C reaches the supervisor only. Its standard input is a pipe from the supervisor:
 * when the supervisor dies, the pipe closes and the child drains by itself (FLORIN_DIE_WITH_PARENT).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeProcess, type KnownProcess } from "../processes.ts";
import { rootFolder } from "../root-folder.ts";
import type { Service } from "./services.ts";

export type Child = {
  readonly known: KnownProcess;
  readonly adminUrl: string;
  readonly logFile: string;
  /** Resolves with a sentence when the process has ended, for whatever reason. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
};

/**
 * A process of ours lives on many small things that die young, and on little that stays (deploy/README.md, "Memory"): without these the
 * engine takes 400 MB for 40 MB of living objects, because there is room on the machine.
 */
const nodeFlags = ["--max-semi-space-size=16", "--heap-growing-percent=200"];
const readyPollMs = 50;
const probeTimeoutMs = 1_000;

/** Its working directory is the log folder: what a process writes unasked (heap snapshots, cores) does not land in the sources. */
export function startChild(service: Service, o: { logFolder: string; env: NodeJS.ProcessEnv }): Child {
  const logFile = join(o.logFolder, `${service.name}.log`);
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(process.execPath, [...nodeFlags, resolve(rootFolder, service.main)], {
    cwd: o.logFolder,
    env: o.env,
    detached: true,
    stdio: ["pipe", log, log],
  });
  closeSync(log);
  child.stdin?.on("error", () => undefined);
  let hasEnded = false;
  const ended = describeEnd(child, service.name).then((sentence) => {
    hasEnded = true;
    return sentence;
  });
  return {
    known: describeProcess(service.name, child.pid ?? -1),
    adminUrl: `http://127.0.0.1:${service.adminPort}`,
    logFile,
    ended,
    hasEnded: () => hasEnded,
  };
}

/** Waits until the process says that it is ready; throws with the end of its log when it ends or takes longer than `timeoutMs`. */
export async function untilReady(child: Child, timeoutMs: number): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  let answer = "no answer";
  while (Date.now() < deadlineMs) {
    if (child.hasEnded()) throw new Error(`${await child.ended}\n${lastLines(child.logFile)}`);
    answer = await probe(`${child.adminUrl}/health/ready`);
    if (answer === "ready") return;
    await sleep(readyPollMs);
  }
  throw new Error(`${child.known.name} is not ready after ${timeoutMs} ms (${answer})\n${lastLines(child.logFile)}`);
}

/** "ready", or what was answered instead. */
async function probe(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(probeTimeoutMs) });
    const text = await response.text();
    return response.ok ? "ready" : text.slice(0, 400);
  } catch {
    return "no answer";
  }
}

function describeEnd(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`${name} could not be started: ${error.message}`));
    child.once("exit", (code, signal) => resolve(`${name} ended with ${signal === null ? `exit code ${code}` : signal}`));
  });
}

export function lastLines(file: string, count = 15): string {
  if (!existsSync(file)) return "";
  const lines = readFileSync(file, "utf8").trimEnd().split("\n").slice(-count);
  return [`last lines of ${file}:`, ...lines.map((line) => `  ${line.slice(0, 500)}`)].join("\n");
}
