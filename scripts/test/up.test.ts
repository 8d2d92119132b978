/** `up` and `down` on real servers, in the profile that every machine can run. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rootFolder } from "../root-folder.ts";
import { authorize, down, freeBasePort, getPayment, isAlive, readUp, runCommandLine, up } from "./command-line.ts";

const first = mkdtempSync(join(tmpdir(), "florin-up-"));
/** With a space, as people's folders have. */
const second = mkdtempSync(join(tmpdir(), "florin up-"));

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
      "simulatorIso8583Url",
      "shopUrl",
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

  test("serves an internal client that is admitted by its certificate", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["docs/examples/internal-client.ts", first], { cwd: rootFolder });
    expect(stdout).toMatch(/pay_\w+ is authorized for 2500 cents on a visa card\npay_\w+ has 2000 cents captured, 500 left/);
  });

  test("reports to its operator what has no outcome yet", async () => {
    await authorize(readUp(first));
    const { code, output } = await runCommandLine(["report", "--directory", first]);
    expect([code, output]).toEqual([0, expect.stringContaining("open operations   0\nby age up to      30s 0, 5m 0, 1h 0, 1d 0, more 0")]);
    expect((await runCommandLine(["report", "--directory", second])).output).toContain("addresses.json is not there");
    // As npm hands it on: a relative path begins where the caller stands.
    const elsewhere = { npm_lifecycle_event: "report", INIT_CWD: dirname(first) };
    expect((await runCommandLine(["report", "--directory", basename(first)], elsewhere)).code).toBe(0);
  });

  test("stands beside another one", async () => {
    const other = await up(second);
    expect((await authorize(other)).status).toBe(201);
    expect((await authorize(readUp(first))).status).toBe(201);
    expect((await down(second)).code).toBe(0);
    expect(other.processes.filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect((await authorize(readUp(first))).status).toBe(201);
  });

  test("keeps keys and payments over down and up", async () => {
    const before = readUp(first);
    const payment = await authorize(before);
    expect((await down(first)).code).toBe(0);
    expect(existsSync(join(first, "up.json"))).toBe(false);
    const after = await up(first);
    expect([after.secretKey, after.publishableKey]).toEqual([before.secretKey, before.publishableKey]);
    expect((await getPayment(after, String(payment.body["id"]))).body).toMatchObject({ id: payment.body["id"], status: "authorized" });
  });

  test("whose supervisor was killed is cleared away by the next one, which --fresh starts with nothing", async () => {
    const before = readUp(first);
    const payment = await authorize(before);
    const postgres = before.processes.find(({ name }) => name === "postgres")?.pid as number;
    process.kill(supervisorOf(first), "SIGKILL");
    await untilTrue(() => before.processes.every(({ name, pid }) => name === "postgres" || !isAlive(pid)), 60_000);
    expect(isAlive(postgres)).toBe(true);
    const after = await up(first, ["--profile", "embedded", "--fresh"]);
    expect(isAlive(postgres)).toBe(false);
    expect(after.secretKey).not.toBe(before.secretKey);
    expect((await getPayment(after, String(payment.body["id"]))).status).toBe(404);
    expect((await getPayment({ ...after, secretKey: before.secretKey }, String(payment.body["id"]))).status).toBe(401);
  });

  test("whose supervisor was killed is stopped by down", async () => {
    const { processes } = readUp(first);
    process.kill(supervisorOf(first), "SIGKILL");
    const { code, output } = await down(first);
    expect([code, output]).toEqual([0, "florin: stopped\n"]);
    expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect((await down(first)).output).toBe(`florin: nothing runs in ${first}\n`);
  });
});

function supervisorOf(directory: string): number {
  return (JSON.parse(readFileSync(join(directory, "supervisor.json"), "utf8")) as { pid: number }).pid;
}
