/** A child process of a test: its log lines as objects, its end as a promise. Killed with the test at the latest. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { untilTrue } from "../src/testing/index.ts";

export type Child = {
  readonly process: ChildProcess;
  readonly lines: readonly string[];
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  /** The first JSON line with this message. */
  logged(message: string): Promise<Record<string, unknown>>;
};

export function startChild(
  name: string,
  args: readonly string[],
  options: { env?: Record<string, string>; stdin?: "pipe" | "ignore" } = {},
): Child {
  const file = fileURLToPath(new URL(`./processes/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], {
    stdio: [options.stdin ?? "ignore", "pipe", "inherit"],
    env: { ...process.env, ...options.env },
  });
  const lines: string[] = [];
  let rest = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  });
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once("exit", (code, signal) => resolve({ code, signal })),
  );
  process.once("exit", () => child.kill("SIGKILL"));
  const find = (message: string): Record<string, unknown> | undefined =>
    lines
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .find((line) => line["msg"] === message);
  return {
    process: child,
    lines,
    ended,
    logged: async (message) => {
      await untilTrue(() => find(message) !== undefined, 15_000);
      return find(message) ?? {};
    },
  };
}
