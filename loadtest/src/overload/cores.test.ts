import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { settle, splitCores, standBack } from "./cores.ts";

/** sched(7); the 41st field of proc_pid_stat(5). */
const batchPolicy = 3;
const policyField = 41;

/** The name in brackets may hold blanks: fields are counted from behind it, where the third begins. */
function policyOf(stat: string): number {
  const fields = readFileSync(stat, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return Number(fields[policyField - 3]);
}

test("the door gets half of the cores, rounded up, because the crowd is there too, and what is behind it the rest; one core cannot be shared out", () => {
  expect([1, 2, 3, 4, 8].map((count) => splitCores(count))).toEqual([
    undefined,
    { door: "0", house: "1", doorCount: 1 },
    { door: "0-1", house: "2", doorCount: 2 },
    { door: "0-1", house: "2-3", doorCount: 2 },
    { door: "0-3", house: "4-7", doorCount: 4 },
  ]);
});

test("who is settled computes there, and who stands back interrupts nobody; one that has ended is no fault", async () => {
  const sleeper = spawn("sleep", ["30"], { stdio: "ignore" });
  const pid = sleeper.pid ?? -1;
  const ended = new Promise((resolve) => sleeper.once("exit", resolve));
  try {
    expect(policyOf(`/proc/${pid}/stat`)).toBe(0);
    settle(pid, "0");
    standBack(pid);
    expect(policyOf(`/proc/${pid}/stat`)).toBe(batchPolicy);
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Cpus_allowed_list:\t0$/m);
  } finally {
    sleeper.kill("SIGKILL");
    await ended;
  }
  settle(pid, "0");
  standBack(pid);
});
