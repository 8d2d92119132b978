/**
 * Makes a server die with the test process that started it, however that process ends.
 *
 * A small shell waits on a pipe whose other end only the test process holds; when the pipe closes, it kills the server by its id.
 * No polling, and it works for SIGKILL too.
 */
import { spawn } from "node:child_process";

export type Guard = { release(): void };

/** `signal` without "SIG". Call `release` before stopping the server yourself, so that a reused process id is never hit. */
export function killWithMe(pid: number, signal: "KILL" | "QUIT" | "INT"): Guard {
  const script = 'read -r word; if [ "$word" != release ]; then kill -s "$1" "$2"; fi';
  const shell = spawn("sh", ["-c", script, "guard", signal, String(pid)], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  shell.on("error", () => {});
  shell.stdin.on("error", () => {});
  shell.unref();
  // The pipe must not keep a finished test process alive.
  if ("unref" in shell.stdin && typeof shell.stdin.unref === "function") shell.stdin.unref();
  return { release: () => void shell.stdin.end("release\n") };
}
