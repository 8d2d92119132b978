/** The drill as a user types it: it proves one fault, and Ctrl-C in the middle leaves nothing behind. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { hasFullProfile } from "./stack.ts";

const root = new URL("../../", import.meta.url).pathname;

type Drill = { readonly child: ReturnType<typeof spawn>; readonly output: () => string; readonly ended: Promise<number | null> };

let running: Drill["child"] | undefined;
afterEach(async () => {
  // Only a test that failed leaves one, and it ends its own stack.
  if (running?.exitCode !== null) return;
  const ended = new Promise((resolve) => running?.once("exit", resolve));
  running.kill("SIGTERM");
  await ended;
});

function drill(...words: string[]): Drill {
  const child = spawn(process.execPath, ["scripts/bootstrap.mjs", "drill", ...words], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (part: Buffer) => {
      text += part.toString();
    });
  running = child;
  return { child, output: () => text, ended: new Promise((resolve) => child.once("exit", resolve)) };
}

const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("florin-drill-"));

/** Processes of the stack in this folder: their settings or words name it. */
function processesOf(folder: string): readonly string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => ["cmdline", "environ"].some((file) => readQuietly(`/proc/${pid}/${file}`).includes(folder)));
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

describe.skipIf(!hasFullProfile || process.platform !== "linux")("a drill", () => {
  test("survives a kill of the switch's neighbour, says so in one line, and leaves nothing", async () => {
    const before = folders();
    const run = drill("--short", "--only", "kill_ledger", "--seed", "5");
    expect(await run.ended).toBe(0);
    expect(run.output()).toMatch(/kill_ledger +C1 +1 +[1-9]\d* +[1-9]\d* +\d+ +\d+ +0 +0 +0 +0 +\d+\.\d s \(<= 1\.5 s\)/);
    expect(run.output()).toContain("1 faults survived, 0 not, 0 skipped (seed 5)");
    expect(folders()).toEqual(before);
  });

  test("ends on Ctrl-C in the middle of a fault, with all its processes and its folder", async () => {
    const before = folders();
    const run = drill("--only", "redis_stopped");
    await expect.poll(run.output, { timeout: 60_000 }).toContain("redis_stopped\n");
    const [folder = ""] = folders().filter((name) => !before.includes(name));
    expect(processesOf(folder).length).toBeGreaterThanOrEqual(8);
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(1);
    expect(run.output()).toContain("florin: interrupted");
    expect([processesOf(folder), existsSync(join(tmpdir(), folder))]).toEqual([[], false]);
  });
});
