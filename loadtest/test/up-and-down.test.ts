/** `up` and `down` as users and operators meet them: twice on one machine, again on old data, on servers of their own, and in a hurry. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestNats, type TestPostgres, type TestRedis, testNats, testPostgres, testRedis } from "@florin/runtime/testing";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type Answer, authorizeBody, call, callUntilDecided, florin, readUpFile, type UpFile } from "./stack.ts";

const folders: string[] = [];

function newFolder(): string {
  // A blank in the path, as in many a home.
  const folder = mkdtempSync(join(tmpdir(), "florin up "));
  folders.push(folder);
  return folder;
}

const up = async (directory: string, port: number, words: readonly string[] = [], env: Readonly<Record<string, string>> = {}) => {
  await florin(["up", "--detach", "--profile", "embedded", "--port", String(port), "--directory", directory, ...words], env);
  return readUpFile(directory);
};
const down = (directory: string) => florin(["down", "--directory", directory]);
/** A process that has ended and that nobody has asked about is still listed, as a zombie. */
const isAlive = (pid: number) => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};
const pay = (stack: UpFile) => call(stack, "POST", "/v1/payments/authorize", authorizeBody());
const statusOf = async (stack: UpFile, paid: Answer) => (await call(stack, "GET", `/v1/payments/${paid.body["id"]}`)).status;

afterEach(async () => {
  for (const folder of folders.splice(0)) {
    await down(folder);
    rmSync(folder, { recursive: true, force: true });
  }
});

describe("up and down", () => {
  test("two stacks side by side know nothing of each other; data outlives down and up, until a fresh start", async () => {
    const [first, second] = [newFolder(), newFolder()];
    const one = await up(first, 18_400);
    const two = await up(second, 18_500);
    const paid = await pay(one);
    expect([await statusOf(one, paid), (await call(two, "GET", "/v1/payments", undefined, { secretKey: one.secretKey })).status]).toEqual([
      200, 401,
    ]);
    await down(first);
    expect(one.processes.filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect(await statusOf(two, await pay(two))).toBe(200);
    const again = await up(first, 18_400);
    expect([again.secretKey === one.secretKey, await statusOf(again, paid)]).toEqual([true, 200]);
    await down(first);
    const fresh = await up(first, 18_400, ["--fresh"]);
    expect([fresh.secretKey === one.secretKey, await statusOf(fresh, paid)]).toEqual([false, 404]);
  });

  test("a drain loses no request: what was answered stays so, the rest is done when asked again, and each is charged once", async () => {
    const folder = newFolder();
    const stack = await up(folder, 18_400);
    const latency = { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ latency: "300-1200" }) };
    expect((await fetch(`${stack.simulatorUrl}/admin/latency`, latency)).ok).toBe(true);
    const orders = Array.from({ length: 200 }, () => ({ key: randomUUID(), body: authorizeBody() }));
    const sent = orders.map(({ key, body }) => call(stack, "POST", "/v1/payments/authorize", body, { key }).catch(() => undefined));
    await new Promise((resolve) => setTimeout(resolve, 400));
    await down(folder);
    const answers = await Promise.all(sent);
    // Decided, still under way (ask again), or refused because we close: each of them says what to do.
    for (const answer of answers) if (answer !== undefined) expect([201, 202, 503]).toContain(answer.status);
    expect(answers.filter((answer) => answer?.status === 201).length).toBeGreaterThan(0);
    const again = await up(folder, 18_400);
    for (const [index, { key, body }] of orders.entries()) {
      const final = await callUntilDecided(again, "/v1/payments/authorize", body, key);
      const first = answers[index];
      if (first?.status === 201) expect(final.text).toBe(first.text);
      expect(final.body["status"]).toBe("authorized");
      const books = await fetch(`${again.simulatorUrl}/admin/books/charges?payment_id=${final.body["id"]}`);
      expect(((await books.json()) as { count: number }).count).toBe(1);
    }
  });

  test("down where nothing is up, up where something is, and a foreign process in the place of ours", async () => {
    const folder = newFolder();
    expect(await down(folder)).toMatch(/nothing|not running|stopped/i);
    const stack = await up(folder, 18_400);
    await expect(up(folder, 18_500)).rejects.toThrow(/up|running|in use/i);
    expect(await statusOf(stack, await pay(stack))).toBe(200);
    await down(folder);
    // A state file whose ids belong to others by now: this test's own process among them.
    writeFileSync(join(folder, "up.json"), JSON.stringify({ ...stack, processes: [{ name: "switch", pid: process.pid }] }));
    await down(folder);
    expect(isAlive(process.pid)).toBe(true);
    await expect(florin(["up", "--prot", "1"])).rejects.toThrow(/--port/);
    await expect(florin(["up", "--port", "seventy"])).rejects.toThrow(/port/);
  });
});

describe("servers that run already", () => {
  const servers: (TestPostgres | TestRedis | TestNats)[] = [];
  afterAll(async () => {
    for (const server of servers) await server.stop();
  });

  test("DATABASE_URL, REDIS_URL and NATS_URL are used, and left running", async () => {
    const [postgres, redis, nats] = [await testPostgres(), await testRedis(), await testNats()];
    if (redis === undefined || nats === undefined) throw new Error("the test needs redis-server and nats-server");
    servers.push(postgres, redis, nats);
    const env = { DATABASE_URL: postgres.superuserUrl, REDIS_URL: redis.url, NATS_URL: nats.url };
    const folder = newFolder();
    await florin(["up", "--detach", "--port", "18400", "--directory", folder], env);
    const stack = readUpFile(folder);
    expect([stack.databaseUrl.includes(new URL(postgres.superuserUrl).port), stack.redisUrl, stack.natsUrl]).toEqual([
      true,
      redis.url,
      nats.url,
    ]);
    expect(await statusOf(stack, await pay(stack))).toBe(200);
    await down(folder);
    expect(isAlive(postgres.pid ?? process.pid)).toBe(true);
  });
});
