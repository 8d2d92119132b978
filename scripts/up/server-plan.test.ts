import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type PlanOptions, planServers } from "./server-plan.ts";

let folder: string;
let env: Record<string, string>;
const notices: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "florin-plan-"));
  for (const name of ["tools", "path"]) mkdirSync(join(folder, name));
  env = { FLORIN_TOOLS_DIR: join(folder, "tools"), PATH: join(folder, "path") };
  notices.length = 0;
});

// A program that was stopped may leave a process of its own, which writes here for a moment more.
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));

/** A program that runs these lines of shell. */
function program(path: string, ...lines: readonly string[]): string {
  const file = join(folder, path);
  writeFileSync(file, ["#!/bin/sh", ...lines].join("\n"));
  chmodSync(file, 0o755);
  return file;
}

const plan = (profile: PlanOptions["profile"], signal = new AbortController().signal) =>
  planServers({ profile, env, notice: (line) => notices.push(line), signal });

describe("which Redis and NATS a stack gets", () => {
  test("none in the embedded profile, whatever is there", async () => {
    program("path/redis-server");
    expect(await plan("embedded")).toEqual({ redis: undefined, nats: undefined });
  });

  test("what is there: the tools folder first, then PATH, and no NATS that is too old or does not run", async () => {
    const redis = program("path/redis-server");
    program("tools/nats-server", "exit 1");
    program("path/nats-server", "echo nats-server: v2.9.25");
    expect(await plan("auto")).toEqual({ redis: { kind: "own", binary: redis }, nats: undefined });
    const nats = program("tools/nats-server", "echo nats-server: v2.15.2");
    program("path/nats-server", "echo nats-server: v2.16.0");
    expect((await plan("auto")).nats).toEqual({ kind: "own", binary: nats });
  });

  test("the given ones before those that are there, and a notice without the password when one does not answer", async () => {
    program("path/redis-server");
    const server: Server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    env["REDIS_URL"] = `redis://:hunter2@127.0.0.1:${port}`;
    env["NATS_URL"] = `nats://127.0.0.1:1,nats://127.0.0.1:${port}`;
    expect(await plan("full")).toEqual({ redis: { kind: "given", url: env["REDIS_URL"] }, nats: { kind: "given", url: env["NATS_URL"] } });
    expect(notices).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
    expect(await plan("auto")).toMatchObject({ redis: { kind: "given" }, nats: { kind: "given" } });
    expect(notices.join("\n")).toMatch(
      /nothing answers at 127.0.0.1:\d+ \(REDIS_URL\)[\s\S]*nothing answers at 127.0.0.1:1, 127.0.0.1:\d+ \(NATS_URL\)/,
    );
    expect(notices.join("\n")).not.toContain("hunter2");
    await expect(plan("full")).rejects.toThrow(/nothing answers at 127.0.0.1:\d+ \(REDIS_URL\)/);
  });

  test("in the full profile, without Redis, the way to get one", async () => {
    await expect(plan("full")).rejects.toThrow(/needs redis-server: .*apt-get install redis-server.*REDIS_URL.*--profile embedded/);
  });
});

describe("a full profile without NATS", () => {
  beforeEach(() => {
    program("path/redis-server");
    env["PATH"] += ":/usr/bin:/bin";
    env["HOME"] = folder;
  });

  test("installs it where there is a Go", async () => {
    program(
      "path/go",
      'echo "$@" >"$GOBIN/asked"',
      `printf '#!/bin/sh\\necho v2.15.2' >"$GOBIN/nats-server"`,
      'chmod 755 "$GOBIN/nats-server"',
    );
    expect((await plan("full")).nats).toEqual({ kind: "own", binary: join(folder, "tools", "nats-server") });
    expect(readFileSync(join(folder, "tools", "asked"), "utf8")).toMatch(/^install github.com\/nats-io\/nats-server\/v2@v[\d.]+\n$/);
    expect(notices).toEqual(["installing nats-server with Go, once; it takes a minute"]);
  });

  test("installs nothing unless it was asked for", async () => {
    program("path/go", `touch ${join(folder, "asked")}`);
    expect((await plan("auto")).nats).toBeUndefined();
    expect(existsSync(join(folder, "asked"))).toBe(false);
  });

  test("tells what Go said when that fails, and what to do without a Go", async () => {
    program("path/go", "echo no route to the proxy >&2; exit 1");
    await expect(plan("full")).rejects.toThrow(/nats-server could not be installed: [\s\S]*no route to the proxy/);
    rmSync(join(folder, "path", "go"));
    await expect(plan("full")).rejects.toThrow(/needs nats-server 2.10 or newer: .*install Go.*NATS_URL.*--profile embedded/);
  });

  test("does not go on installing when it is stopped", async () => {
    program("path/go", "exec sleep 3");
    const controller = new AbortController();
    const planned = plan("full", controller.signal);
    controller.abort();
    await expect(planned).rejects.toThrow(/nats-server could not be installed: AbortError/);
  });
});
