import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { interruptNobody, settle, splitCores, standBack } from "./cores.ts";

/** sched(7). */
const batchPolicy = 3;

/** Policy and nice value, fields 41 and 19 of proc_pid_stat(5). The name in brackets may hold blanks: fields are counted from behind it, where the third begins. */
function shareOf(pid: number): { policy: number; nice: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return { policy: Number(fields[41 - 3]), nice: Number(fields[19 - 3]) };
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

test("who is settled computes there, and who stands back gives way to all others; one that has ended is no fault", async () => {
  const sleeper = spawn("sleep", ["30"], { stdio: "ignore", detached: true });
  const pid = sleeper.pid ?? -1;
  const ended = new Promise((resolve) => sleeper.once("exit", resolve));
  try {
    expect(shareOf(pid)).toEqual({ policy: 0, nice: 0 });
    settle(pid, "0");
    interruptNobody(pid);
    expect(shareOf(pid)).toEqual({ policy: batchPolicy, nice: 0 });
    standBack(pid);
    expect(shareOf(pid)).toEqual({ policy: batchPolicy, nice: 19 });
    const autogroup = `/proc/${pid}/autogroup`;
    if (existsSync(autogroup)) expect(readFileSync(autogroup, "utf8")).toMatch(/ nice 19$/m);
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Cpus_allowed_list:\t0$/m);
  } finally {
    sleeper.kill("SIGKILL");
    await ended;
  }
  settle(pid, "0");
  standBack(pid);
});
