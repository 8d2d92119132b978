import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { testRedis, untilTrue } from "../src/testing/index.ts";
import { startChild } from "./child.ts";

/** Gone, or waiting for a parent to collect it. */
function hasEnded(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  try {
    return !existsSync(file) || / Z /.test(readFileSync(file, "utf8").slice(0, 200));
  } catch {
    return true;
  }
}

test("servers die with a test process that is killed, and its folders go with the next test", async () => {
  const owner = startChild("server-owner", []);
  await untilTrue(() => owner.lines.length > 0, 30_000);
  const pids = (JSON.parse(owner.lines[0] ?? "[]") as (number | null)[]).filter((pid) => pid !== null);
  expect(pids.length).toBeGreaterThanOrEqual(1);
  expect(pids.some(hasEnded)).toBe(false);
  owner.process.kill("SIGKILL");
  await owner.ended;
  await untilTrue(() => pids.every(hasEnded), 10_000);
  // Any test process that makes a folder first removes what dead ones left.
  const redis = await testRedis();
  await redis?.stop();
  if (redis !== undefined) expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`florin-test-${owner.process.pid}-`))).toEqual([]);
});

test("untilTrue tells what did not become true", async () => {
  await expect(untilTrue(() => 1 > 2, 30)).rejects.toThrow("not true within 30 ms: () => 1 > 2");
  const refuse = () => {
    throw new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
  };
  await expect(untilTrue(refuse, 30)).rejects.toThrow(/asked \d+ times, at last TypeError: fetch failed \(Error: connect ECONNREFUSED\)/);
});
