/** What cannot work is said in a sentence, with exit code 1, and leaves nothing running. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, portOfNobody, untilTrue } from "@florin/runtime/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeProcess } from "../processes.ts";
import { freeBasePort, isAlive, runCommandLine, startCommand } from "./command-line.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "florin-refused-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function refused(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const port = words.includes("--port") ? [] : ["--port", String(await freeBasePort())];
  const { code, output } = await runCommandLine(["up", "--detach", "--directory", directory, ...port, ...words], env);
  expect(code, output).toBe(1);
  expect(output).not.toMatch(/^\s+at /m);
  return output;
}

/** A server program that does what redis-server does, and tells its process id. */
function fakeServer(name: string, lines: readonly string[]): string {
  const folder = join(directory, "tools");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), [`#!${process.execPath}`, ...lines].join("\n"));
  chmodSync(join(folder, name), 0o755);
  return folder;
}

test("a port that is taken", async () => {
  const server = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  expect(await refused(["--port", String(port)])).toContain(`port ${port} is taken: choose another one with --port`);
  await new Promise((resolve) => server.close(resolve));
  expect(existsSync(join(directory, "supervisor.json"))).toBe(false);
});

test("a full profile without NATS and without a Go to install it", async () => {
  const output = await refused(["--profile", "full"], {
    FLORIN_TOOLS_DIR: fakeServer("redis-server", []),
    PATH: join(directory, "nothing"),
  });
  expect(output).toContain("--profile full needs nats-server");
  expect(existsSync(join(directory, "postgres"))).toBe(false);
});

test("given servers that nobody runs, by the name of their variable and without their passwords", async () => {
  const port = await freePort();
  const lost = (scheme: string): string => `${scheme}://user:hunter2@127.0.0.1:${port}`;
  const outputs = [
    await refused(["--profile", "full"], { REDIS_URL: lost("redis"), NATS_URL: lost("nats") }),
    await refused([], { DATABASE_URL: lost("postgres") }),
    await refused([], { DATABASE_URL: "hunter2" }),
    await refused([], { REDIS_URL: "hunter2" }),
  ];
  expect(outputs[0]).toContain(`nothing answers at 127.0.0.1:${port} (REDIS_URL)`);
  expect(outputs[1]).toContain("the PostgreSQL of DATABASE_URL cannot be used: connect ECONNREFUSED");
  expect(outputs[2]).toContain("DATABASE_URL is not a URL");
  expect(outputs[3]).toContain("REDIS_URL is not a URL");
  expect(outputs.join("")).not.toContain("hunter2");
});

test("one server that cannot start: the others are stopped too", async () => {
  const pidFile = join(directory, "redis.pid");
  const tools = fakeServer("redis-server", [
    'const { readFileSync, writeFileSync } = require("node:fs");',
    'const port = /^port (\\d+)$/m.exec(readFileSync(process.argv[2], "utf8"))[1];',
    `require("node:net").createServer().listen(Number(port), "127.0.0.1", () => writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)));`,
  ]);
  const output = await refused([], { FLORIN_TOOLS_DIR: tools, DATABASE_URL: `postgres://u@127.0.0.1:${portOfNobody}/x` });
  expect(output).toContain("florin: did not start");
  expect(isAlive(Number(readFileSync(pidFile, "utf8")))).toBe(false);
});

test("a process that has the id of one of ours by now is left alone, by up and by down", async () => {
  const bystander = spawn("sleep", ["60"], { stdio: "ignore" });
  const pid = bystander.pid as number;
  const stale = (name: string) => ({ ...describeProcess(name, pid), birth: "an earlier one" });
  const leaveBehind = (): void => {
    writeFileSync(join(directory, "supervisor.json"), JSON.stringify(stale("supervisor")));
    writeFileSync(
      join(directory, "run.json"),
      JSON.stringify({ supervisor: stale("supervisor"), processes: [stale("edge"), stale("postgres")] }),
    );
    writeFileSync(join(directory, "up.json"), "{}");
  };
  leaveBehind();
  expect(await runCommandLine(["down", "--directory", directory])).toEqual({ code: 0, output: `florin: nothing runs in ${directory}\n` });
  expect(readdirSync(directory)).toEqual([]);
  leaveBehind();
  await refused(["--profile", "embedded"], { DATABASE_URL: "no" });
  expect(readdirSync(directory).filter((name) => /^(up|run|supervisor|addresses)\.json/.test(name))).toEqual([]);
  expect(isAlive(pid)).toBe(true);
  bystander.kill("SIGKILL");
});

test("Ctrl-C while it starts stops what was started", async () => {
  // A PostgreSQL that takes connections and never answers: the start stands still there.
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket.on("error", () => undefined)));
  const port = await freePort();
  await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve));
  const words = ["up", "--profile", "embedded", "--directory", directory, "--port", String(await freeBasePort())];
  const start = startCommand(words, { DATABASE_URL: `postgres://u:p@127.0.0.1:${port}/x` });
  await untilTrue(() => sockets.length > 0, 30_000);
  start.child.kill("SIGINT");
  for (const socket of sockets) socket.resume();
  const { code, output } = await start.finished;
  expect([code, output]).toEqual([0, expect.stringContaining("florin: stopped")]);
  expect(existsSync(join(directory, "supervisor.json"))).toBe(false);
  await new Promise((resolve) => silent.close(resolve));
});

test("words that up and down do not know", async () => {
  for (const command of ["up", "down"]) {
    const { code, output } = await runCommandLine([command, "--prot", "1"]);
    expect([code, output]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^florin: Unknown option '--prot'[\\s\\S]*npm run ${command} -- \\[options\\]`)),
    ]);
    expect(await runCommandLine([command, "--help"])).toMatchObject({ code: 0, output: expect.stringContaining("--directory <folder>") });
  }
});
