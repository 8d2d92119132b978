/** Where the secrets of a running stack stand: in its own closed files, and in no log, no metric, no command line. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { portDistances } from "../up/ports.ts";
import type { StackSecrets } from "../up/secrets.ts";
import type { UpFile } from "../up/state-files.ts";
import { authorize, down, up } from "./command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "florin-secrets-"));
let stack: UpFile;
let secrets: readonly string[];

beforeAll(async () => {
  stack = await up(directory, ["--profile", "auto"], { FLORIN_LOG_LEVEL: "debug" });
  expect((await authorize(stack)).status).toBe(201);
  const { merchants, databasePasswords, ...others } = JSON.parse(readFileSync(join(directory, "secrets.json"), "utf8")) as StackSecrets;
  const passwords = Object.values(databasePasswords).flatMap(({ owner, app }) => [owner, app]);
  const superuser = new URL(stack.databaseUrl).password;
  secrets = [...Object.values(others), ...passwords, superuser, ...merchants.map(({ secretKey }) => secretKey)];
  // A wrong key and a wrong path leave their lines too.
  await fetch(`${stack.edgeUrl}/v1/payments`, { headers: { authorization: `Bearer ${merchants[0]?.secretKey}x` } });
  await fetch(`${stack.edgeUrl}/v1/${merchants[0]?.secretKey}`);
});

afterAll(async () => {
  await down(directory);
  rmSync(directory, { recursive: true, force: true });
});

const leakedInto = (text: string): number => secrets.filter((secret) => text.includes(secret)).length;

test("there are secrets to look for, and looking finds them", () => {
  expect(secrets.length).toBeGreaterThanOrEqual(16);
  expect(secrets.every((secret) => secret.length >= 16)).toBe(true);
  expect(leakedInto(readFileSync(join(directory, "secrets.json"), "utf8"))).toBeGreaterThanOrEqual(15);
});

test("no log has one", () => {
  const logs = filesBelow(directory).filter((file) => file.endsWith(".log"));
  expect(logs.length).toBeGreaterThanOrEqual(7);
  for (const log of logs) expect([log, leakedInto(readFileSync(log, "utf8"))]).toEqual([log, 0]);
});

test("no metric has one", async () => {
  const base = Number(new URL(stack.edgeUrl).port);
  const admins = Object.entries(portDistances).filter(([name]) => name.endsWith("Admin"));
  expect(admins).toHaveLength(6);
  for (const [name, distance] of admins) {
    const text = await (await fetch(`http://127.0.0.1:${base + distance}/metrics`)).text();
    expect(text).toContain("process");
    expect([name, leakedInto(text)]).toEqual([name, 0]);
  }
});

test.skipIf(!existsSync("/proc/self/cmdline"))("no command line has one: everybody on the machine may read those", () => {
  const pids = stack.processes.map(({ pid }) => pid);
  for (const pid of pids) expect(leakedInto(readFileSync(`/proc/${pid}/cmdline`, "utf8"))).toBe(0);
});

test("every file that has one is its owner's alone, or lies in a folder that is", () => {
  const holders = filesBelow(directory).filter((file) => leakedInto(readFileSync(file, "latin1")) > 0);
  expect(holders.map((file) => file.slice(directory.length + 1))).toEqual(expect.arrayContaining(["secrets.json", "up.json"]));
  expect(holders.filter((file) => !isClosed(file))).toEqual([]);
});

test("no private key can be read by others", () => {
  const keys = filesBelow(directory).filter((file) => file.endsWith("-key.pem"));
  expect(keys.length).toBeGreaterThanOrEqual(8);
  expect(keys.filter((file) => (statSync(file).mode & 0o077) !== 0)).toEqual([]);
});

function isClosed(file: string): boolean {
  if ((statSync(file).mode & 0o077) === 0) return true;
  for (let folder = dirname(file); folder.length > directory.length; folder = dirname(folder))
    if ((statSync(folder).mode & 0o077) === 0) return true;
  return false;
}

/** Files of the server's data are left out: they come and go while it runs, and their folder is closed. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return path === join(directory, "postgres") ? [] : filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}
