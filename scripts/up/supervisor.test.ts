import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@florin/runtime/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeProcess, isRunning, stopProcess } from "../processes.ts";
import { makePlace } from "./place.ts";
import type { Service, ServiceName } from "./services.ts";
import { claimDirectory, readRunFile } from "./state-files.ts";
import { Supervisor } from "./supervisor.ts";

let directory: string;
let supervisor: Supervisor;
const notices: string[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "florin-supervisor-"));
  makePlace(directory);
  notices.length = 0;
  supervisor = supervise(false);
});

afterEach(async () => {
  await supervisor.stop();
  rmSync(directory, { recursive: true, force: true });
});

function supervise(restarts: boolean): Supervisor {
  return new Supervisor({ directory, logFolder: join(directory, "logs"), restarts, notice: (line) => notices.push(line) });
}

/** A process that is ready at once, and takes a moment to drain; it writes down when it has ended. */
async function fakeService(name: ServiceName, drainMs = 20): Promise<{ service: Service; env: NodeJS.ProcessEnv }> {
  const port = await freePort();
  const main = join(directory, `${name}.mjs`);
  const lines = [
    'import { createServer } from "node:http"; import { appendFileSync } from "node:fs";',
    `createServer((_, answer) => answer.end("{}")).listen(${port}, "127.0.0.1");`,
    `const drain = () => setTimeout(() => { appendFileSync(${JSON.stringify(join(directory, "order"))}, "${name}\\n"); process.exit(0); }, ${drainMs});`,
    'process.on("SIGTERM", drain); process.stdin.on("close", drain).resume();',
  ];
  writeFileSync(main, lines.join("\n"));
  return { service: { name, main, adminPort: port, env: {} }, env: process.env };
}

describe("the supervisor", () => {
  test("drains edge, switch, connectors, vault, ledger and simulator in this order, whatever order they started in", async () => {
    const names: ServiceName[] = ["simulator", "vault", "edge", "ledger", "connectors", "switch"];
    await supervisor.startServices(await Promise.all(names.map((name) => fakeService(name))));
    expect(supervisor.processes.map(({ name }) => name)).toEqual(["edge", "switch", "connectors", "vault", "ledger", "simulator"]);
    const started = supervisor.processes;
    expect(await supervisor.stop()).toEqual([]);
    expect(readFileSync(join(directory, "order"), "utf8").trim().split("\n")).toEqual([
      "edge",
      "switch",
      "connectors",
      "vault",
      "ledger",
      "simulator",
    ]);
    expect(started.filter(isRunning)).toEqual([]);
  });

  test("writes what it started before it is ready, with start times", async () => {
    await supervisor.startServices([await fakeService("edge")]);
    expect(readRunFile(directory)?.processes).toEqual(supervisor.processes);
    expect(readRunFile(directory)?.supervisor.pid).toBe(process.pid);
  });

  test("reports a process that dies, with the end of its log", async () => {
    await supervisor.startServices([await fakeService("switch")]);
    process.kill(supervisor.processes[0]?.pid as number, "SIGKILL");
    expect(await supervisor.failed).toBe("switch ended with SIGKILL");
    expect(notices.join("\n")).toContain("switch.log");
  });

  test("starts a process again when it was asked to, and tells its new id", async () => {
    supervisor = supervise(true);
    await supervisor.startServices([await fakeService("switch")]);
    const before = supervisor.processes[0]?.pid as number;
    const changed = new Promise<void>((resolve) => {
      supervisor.onChange = resolve;
    });
    process.kill(before, "SIGKILL");
    await changed;
    expect(supervisor.processes[0]?.pid).not.toBe(before);
    expect(readRunFile(directory)?.processes).toEqual(supervisor.processes);
  });

  test("a process that is ended on purpose is missed by nobody, and lives again when asked, once with other settings", async () => {
    const one = await fakeService("switch");
    appendFileSync(
      one.service.main,
      `\nappendFileSync(${JSON.stringify(join(directory, "lives"))}, (process.env.FLORIN_CRASH_POINT ?? "none") + "\\n");`,
    );
    await supervisor.startServices([one]);
    const before = supervisor.processes[0]?.pid;
    await supervisor.kill("switch");
    expect([notices, supervisor.processes.filter(isRunning)]).toEqual([[], []]);
    await supervisor.startAgain("switch", { FLORIN_CRASH_POINT: "after_send" });
    const ended = supervisor.expectEnd("switch");
    process.kill(supervisor.processes[0]?.pid as number, "SIGKILL");
    expect(await ended).toBe("switch ended with SIGKILL");
    await supervisor.startAgain("switch");
    expect(readFileSync(join(directory, "lives"), "utf8").trim().split("\n")).toEqual(["none", "after_send", "none"]);
    expect(supervisor.processes[0]?.pid).not.toBe(before);
    expect(readRunFile(directory)?.processes).toEqual(supervisor.processes);
    // One that cannot start again is told to who asked, and may be tried once more.
    await supervisor.kill("switch");
    const main = readFileSync(one.service.main, "utf8");
    writeFileSync(one.service.main, "process.exit(3);");
    await expect(supervisor.startAgain("switch")).rejects.toThrow("switch ended with exit code 3");
    writeFileSync(one.service.main, main);
    await supervisor.startAgain("switch");
    // Only the end that was announced is meant.
    process.kill(supervisor.processes[0]?.pid as number, "SIGKILL");
    expect(await supervisor.failed).toBe("switch ended with SIGKILL");
  });

  test("a process that ends before it is ready fails the start with its log", async () => {
    const broken = await fakeService("vault");
    writeFileSync(broken.service.main, 'console.log("no key"); process.exit(7);');
    await expect(supervisor.startServices([broken])).rejects.toThrow(/vault ended with exit code 7[\s\S]*no key/);
  });
});

describe("a directory", () => {
  test("has one supervisor", () => {
    expect(claimDirectory(directory)).toBeUndefined();
    expect(claimDirectory(directory)).toMatchObject({ pid: process.pid });
  });

  test("whose supervisor is gone can be taken", () => {
    writeFileSync(join(directory, "supervisor.json"), JSON.stringify({ name: "supervisor", pid: process.pid, birth: "1" }));
    expect(claimDirectory(directory)).toBeUndefined();
  });
});

describe("a known process", () => {
  test.runIf(process.platform === "linux")("is not confused with a later one of the same id", async () => {
    const other = { ...describeProcess("me", process.pid), birth: "1" };
    expect(isRunning(describeProcess("me", process.pid))).toBe(true);
    expect(isRunning(other)).toBe(false);
    expect(await stopProcess(other, "SIGKILL", 10)).toBe("absent");
  });
});
