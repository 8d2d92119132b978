/** Starts a server program for a test: finds it, waits until its port answers, stops it by its process id. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { killWithMe } from "./guard.ts";
import { untilTrue } from "./until-true.ts";

const startTimeoutMs = 15_000;
const stopTimeoutMs = 5_000;

export type LocalServer = { readonly pid: number; stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void> };

/** Path of a server program: FLORIN_TOOLS_DIR, then ~/.cache/florin/bin, then PATH. With CI=true a missing one is an error, not a skip. */
export function findProgram(name: string): string | undefined {
  const folders = [
    process.env["FLORIN_TOOLS_DIR"] ?? join(homedir(), ".cache", "florin", "bin"),
    ...(process.env["PATH"] ?? "").split(delimiter),
  ];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined && process.env["CI"] === "true")
    throw new Error(`${name} is not installed, and with CI=true no suite is skipped`);
  return found;
}

/** Resolves when `port` on 127.0.0.1 takes connections. `stop` resolves when the process is gone; safe to repeat. */
export async function startLocalServer(options: { program: string; args: readonly string[]; port: number }): Promise<LocalServer> {
  const child = spawn(options.program, options.args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-4_000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      errors += String(error);
      resolve();
    });
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.program} cannot be started: ${errors}`);
  const guard = killWithMe(pid, "KILL");
  try {
    await untilTrue(() => {
      if (hasEnded(child)) throw new Error(errors);
      return answers(options.port);
    }, startTimeoutMs);
  } catch (thrown) {
    guard.release();
    child.kill("SIGKILL");
    throw new Error(`${options.program} did not start: ${errors}`, { cause: thrown });
  }
  return {
    pid,
    stop: async (signal = "SIGTERM") => {
      guard.release();
      if (hasEnded(child)) return;
      child.kill(signal);
      const force = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
      await ended;
      clearTimeout(force);
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (isUp: boolean): void => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
