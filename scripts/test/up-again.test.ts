/** `up` and `down` on old data, in a hurry, in a foreign folder, and on servers that run already. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { testNats, testPostgres, testRedis } from "@florin/runtime/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { UpFile } from "../up/state-files.ts";
import { authorize, freeBasePort, getPayment, readUp, runCommandLine } from "./command-line.ts";

let folder: string;

beforeEach(() => {
  // A blank in the path, as in many a home.
  folder = mkdtempSync(join(tmpdir(), "florin up "));
});
afterEach(async () => {
  await down();
  rmSync(folder, { recursive: true, force: true });
});

const down = () => runCommandLine(["down", "--directory", folder]);

async function up(...words: readonly string[]): Promise<UpFile> {
  const port = String(await freeBasePort());
  const { code, output } = await runCommandLine([
    "up",
    "--detach",
    "--profile",
    "embedded",
    "--port",
    port,
    "--directory",
    folder,
    ...words,
  ]);
  if (code !== 0) throw new Error(output);
  return readUp(folder);
}

test("a fresh start forgets payments and keys", async () => {
  const before = await up();
  const paid = await authorize(before);
  await down();
  const after = await up("--fresh");
  expect(after.secretKey).not.toBe(before.secretKey);
  expect((await getPayment(after, String(paid.body["id"]))).status).toBe(404);
});

test("a drain under load loses no request: what was answered stays so, the rest is done when asked again, each is charged once", async () => {
  const stack = await up("--simulator-latency", "300-1200");
  const keys = Array.from({ length: 200 }, () => randomUUID());
  const sent = keys.map((key) => authorize(stack, key).catch(() => undefined));
  await sleep(400);
  await down();
  const answers = await Promise.all(sent);
  // Decided, still under way (ask again), or refused because we close: each of them says what to do.
  for (const answer of answers) if (answer !== undefined) expect([201, 202, 503]).toContain(answer.status);
  expect(answers.filter((answer) => answer?.status === 201).length).toBeGreaterThan(0);
  const again = await up();
  for (const [index, key] of keys.entries()) {
    const final = await untilDecided(again, key);
    const first = answers[index];
    if (first?.status === 201) expect(final).toEqual(first.body);
    expect(final["status"]).toBe("authorized");
    const books = await fetch(`${again.simulatorUrl}/admin/books/charges?payment_id=${final["id"]}`);
    expect(((await books.json()) as { count: number }).count).toBe(1);
  }
});

/** Asks again with its key while the answer is "under way", as the API tells its users to. */
async function untilDecided(stack: UpFile, key: string): Promise<Record<string, unknown>> {
  for (let tries = 1; ; tries++) {
    const { status, body } = await authorize(stack, key);
    if (status !== 202 || tries >= 200) return body;
    await sleep(250);
  }
}

test("down where nothing is up ends well, and a process that is none of ours is left alone", async () => {
  expect((await down()).code).toBe(0);
  const stack = await up();
  await down();
  // Ids are given again: a file of yesterday may name anybody, here this very test.
  writeFileSync(join(folder, "up.json"), JSON.stringify({ ...stack, processes: [{ name: "switch", pid: process.pid }] }));
  expect((await down()).code).toBe(0);
});

test.each([
  [["--prot", "1"], "--port"],
  [["--port", "seventy"], "--port"],
  [["--profile", "huge"], "embedded"],
])("wrong words are answered with the right ones: %s", async (words, expected) => {
  const { code, output } = await runCommandLine(["up", "--detach", "--directory", folder, ...words]);
  expect(code).not.toBe(0);
  expect(output).toContain(expected);
});

test("DATABASE_URL, REDIS_URL and NATS_URL are used, and their servers left running", async () => {
  const [postgres, redis, nats] = [await testPostgres(), await testRedis(), await testNats()];
  const urls = { DATABASE_URL: postgres.superuserUrl, ...(redis && { REDIS_URL: redis.url }), ...(nats && { NATS_URL: nats.url }) };
  Object.assign(process.env, urls);
  try {
    const port = String(await freeBasePort());
    const { code, output } = await runCommandLine(["up", "--detach", "--port", port, "--directory", folder]);
    expect([code, output]).toEqual([0, expect.stringContaining("Florin is up")]);
    const stack = readUp(folder);
    expect(new URL(stack.databaseUrl).port).toBe(new URL(postgres.superuserUrl).port);
    if (redis !== undefined) expect(stack.redisUrl).toBe(redis.url);
    if (nats !== undefined) expect(stack.natsUrl).toBe(nats.url);
    expect((await authorize(stack)).status).toBe(201);
    await down();
    if (postgres.pid !== undefined) expect(() => process.kill(postgres.pid as number, 0)).not.toThrow();
  } finally {
    for (const name of Object.keys(urls)) delete process.env[name];
    await Promise.all([redis?.stop(), nats?.stop()]);
    await postgres.stop();
  }
});
