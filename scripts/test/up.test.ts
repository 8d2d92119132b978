/** `up` and `down` on real servers, in the profile that every machine can run. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rootFolder } from "../root-folder.ts";
import { authorize, freeBasePort, getPayment, readUp, runCommandLine, startCommand } from "./command-line.ts";

const first = mkdtempSync(join(tmpdir(), "florin-up-"));
const second = mkdtempSync(join(tmpdir(), "florin-up-"));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function up(directory: string): Promise<string> {
  const port = await freeBasePort();
  const { code, output } = await runCommandLine([
    "up",
    "--detach",
    "--profile",
    "embedded",
    "--port",
    String(port),
    "--directory",
    directory,
  ]);
  expect(output).toContain("Florin is up");
  expect(code).toBe(0);
  return output;
}

const down = (directory: string) => runCommandLine(["down", "--directory", directory]);

beforeAll(async () => {
  await up(first);
});

afterAll(async () => {
  for (const directory of [first, second]) {
    await down(directory);
    rmSync(directory, { recursive: true, force: true });
  }
});

describe("a running stack", () => {
  test("tells where it is, to its owner only", () => {
    expect(Object.keys(readUp(first))).toEqual([
      "edgeUrl",
      "vaultUrl",
      "simulatorUrl",
      "secretKey",
      "publishableKey",
      "databaseUrl",
      "redisUrl",
      "natsUrl",
      "processes",
    ]);
    expect(readUp(first).processes.map(({ name }) => name)).toEqual([
      "edge",
      "switch",
      "connectors",
      "vault",
      "ledger",
      "simulator",
      "postgres",
    ]);
    for (const file of ["up.json", "run.json", "secrets.json", "addresses.json"]) expect(statSync(join(first, file)).mode & 0o077).toBe(0);
  });

  test("is not started a second time in its directory", async () => {
    const { code, output } = await runCommandLine(["up", "--detach", "--directory", first, "--port", String(await freeBasePort())]);
    expect(code).toBe(1);
    expect(output).toContain("a stack already runs in");
    expect((await authorize(readUp(first))).status).toBe(201);
  });

  test("stands beside another one", async () => {
    await up(second);
    expect((await authorize(readUp(second))).status).toBe(201);
    expect((await authorize(readUp(first))).status).toBe(201);
    const { processes } = readUp(second);
    expect((await down(second)).code).toBe(0);
    expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect((await authorize(readUp(first))).status).toBe(201);
  });

  test("serves an internal client that is admitted by its certificate", async () => {
    const example = runNode(["docs/examples/internal-client.ts", first]);
    expect(await example).toMatch(/pay_\w+ is authorized for 2500 cents on a visa card\npay_\w+ has 2000 cents captured, 500 left/);
  });

  test("keeps keys and payments over down and up", async () => {
    const before = readUp(first);
    const payment = await authorize(before);
    expect((await down(first)).code).toBe(0);
    expect(existsSync(join(first, "up.json"))).toBe(false);
    await up(first);
    const after = readUp(first);
    expect([after.secretKey, after.publishableKey]).toEqual([before.secretKey, before.publishableKey]);
    expect((await getPayment(after, String(payment.body["id"]))).body).toMatchObject({ id: payment.body["id"], status: "authorized" });
  });
});

describe("Ctrl-C", () => {
  test("leaves nothing in flight without its answer", async () => {
    const port = await freeBasePort();
    const attached = startCommand([
      "up",
      "--profile",
      "embedded",
      "--port",
      String(port),
      "--directory",
      second,
      "--simulator-latency",
      "300",
    ]);
    for (let waitedMs = 0; !attached.output().includes("Florin is up") && waitedMs < 60_000; waitedMs += 100) await sleep(100);
    const stack = readUp(second);
    const answers = Promise.all(Array.from({ length: 20 }, () => authorize(stack)));
    await sleep(150);
    attached.child.kill("SIGINT");
    expect((await answers).map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 201));
    const { code, output } = await attached.finished;
    expect(output).toContain("florin: stopped");
    expect(code).toBe(0);
    expect(stack.processes.filter(({ pid }) => isAlive(pid))).toEqual([]);
  });
});

async function runNode(words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...words], { cwd: rootFolder, timeout: 60_000 });
  return stdout;
}
