/**
 * `npm run up`: a whole stack on this machine, ready for payments. See up/options.ts for its words.
 *
 * Attached, this process is the supervisor, and Ctrl-C drains the stack. With --detach it starts a supervisor of its own, waits until the
 * stack is ready, and returns.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lastLines } from "./up/child.ts";
import { readUpOptions, type UpOptions, upUsage } from "./up/options.ts";
import { makePlace } from "./up/place.ts";
import { renderAlreadyUp } from "./up/report.ts";
import { startStack } from "./up/start-stack.ts";
import { claimDirectory, clearState, readUpFile } from "./up/state-files.ts";
import { Supervisor } from "./up/supervisor.ts";

/** What a detached supervisor tells the process that started it. */
type Message = { readonly kind: "ready" | "failed" | "notice"; readonly text: string };

const supervisedFlag = "FLORIN_UP_SUPERVISED";
/** One Ctrl-C may arrive twice, from the terminal and through npm: only a later one means "now". */
const sameSignalMs = 1_000;

async function main(): Promise<number> {
  const words = process.argv.slice(2);
  const options = readUpOptions(words, process.env);
  if (options.isHelp) {
    console.log(upUsage);
    return 0;
  }
  makePlace(options.directory);
  if (options.isDetached && process.env[supervisedFlag] === undefined) return detach(options, words);
  return supervise(options);
}

/** Runs until a signal, or until one of our processes dies. Answers the exit code. */
async function supervise(options: UpOptions): Promise<number> {
  const { directory } = options;
  const tell = process.send === undefined ? print : send;
  const notice = (line: string): void => tell({ kind: "notice", text: `florin: ${line}` });
  const holder = claimDirectory(directory);
  if (holder !== undefined) {
    tell({ kind: "failed", text: `florin: ${renderAlreadyUp(directory, holder.pid, readUpFile(directory))}` });
    return 1;
  }
  const supervisor = new Supervisor({ directory, logFolder: join(directory, "logs"), restarts: options.restarts, notice });
  const asked = untilAsked(notice);
  const abort = new AbortController();
  const start = startStack({ options, supervisor, env: serviceEnvironmentOf(process.env), notice, signal: abort.signal });
  const outcome = await Promise.race([start.then((text) => ({ kind: "ready" as const, text })), asked, supervisor.failed]).catch(toFailure);
  const isReady = typeof outcome === "object" && outcome.kind === "ready";
  if (!isReady) abort.abort();
  else {
    tell(outcome);
    if (process.connected) process.disconnect();
  }
  const reason = isReady ? await Promise.race([asked, supervisor.failed]) : typeof outcome === "object" ? outcome.text : outcome;
  return end({ supervisor, start, reason, isReady, directory, tell });
}

type End = {
  supervisor: Supervisor;
  start: Promise<unknown>;
  reason: string;
  isReady: boolean;
  directory: string;
  tell: (message: Message) => void;
};

async function end(o: End): Promise<number> {
  const isAsked = o.reason === askedReason;
  const failure = o.isReady ? "cannot go on, stopping everything" : "did not start";
  o.tell({ kind: isAsked ? "notice" : "failed", text: `florin: ${isAsked ? "draining" : `${failure}: ${o.reason}`}` });
  let complaints = await o.supervisor.stop();
  // A start that was interrupted ends at its next step; what it still made is stopped too.
  await o.start.catch(() => undefined);
  complaints = [...complaints, ...(await o.supervisor.stop())];
  for (const complaint of complaints) o.tell({ kind: "notice", text: `florin: ${complaint}` });
  clearState(o.directory);
  o.tell({ kind: "notice", text: "florin: stopped" });
  return isAsked && complaints.length === 0 ? 0 : 1;
}

const askedReason = "asked to stop";

/** Resolves at the first signal; a second one, later than an echo of the first, ends this process at once. */
function untilAsked(notice: (line: string) => void): Promise<string> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    const onSignal = (): void => {
      const nowMs = Date.now();
      if (firstAtMs !== undefined && nowMs - firstAtMs > sameSignalMs) {
        notice("not waiting any longer; npm run down ends what is left");
        process.exit(1);
      }
      firstAtMs ??= nowMs;
      resolve(askedReason);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  });
}

/** Starts a supervisor in a session of its own and waits for its word. */
async function detach(options: UpOptions, words: readonly string[]): Promise<number> {
  const logFile = join(options.directory, "logs", "supervisor.log");
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...words], {
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
    env: { ...process.env, [supervisedFlag]: "1" },
  });
  closeSync(log);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill("SIGTERM"));
  return new Promise((resolve) => {
    let code = 1;
    child.on("message", (message: Message) => {
      print(message);
      if (message.kind !== "ready") return;
      code = 0;
      child.disconnect();
      child.unref();
      resolve(code);
    });
    child.once("exit", (exitCode) => {
      if (exitCode !== 0 && exitCode !== 1) console.error(lastLines(logFile));
      resolve(code);
    });
  });
}

function toFailure(thrown: unknown): Message {
  return { kind: "failed", text: thrown instanceof Error ? thrown.message : String(thrown) };
}

function print(message: Message): void {
  if (message.kind === "ready") console.log(message.text);
  else console.error(message.text);
}

/** The report holds keys, so it goes to the one who asked, not into the log. */
function send(message: Message): void {
  print(message.kind === "ready" ? { kind: "notice", text: "florin: ready" } : message);
  if (process.connected) process.send?.(message);
}

/** The flag of this script is none of the children's business. */
function serviceEnvironmentOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { [supervisedFlag]: _flag, NODE_CHANNEL_FD: _channel, ...rest } = env;
  return rest;
}

process.stdout.on("error", () => undefined);
process.exitCode = await main().catch((thrown: unknown) => {
  console.error(`florin: ${toFailure(thrown).text}`);
  return 1;
});
// Sockets of health probes may linger; everything that matters has been awaited.
process.exit();
