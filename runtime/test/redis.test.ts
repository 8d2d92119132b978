import { afterAll, describe, expect, test } from "vitest";
import { connectRedis } from "../src/redis/index.ts";
import { portOfNobody, type TestRedis, testRedis, untilTrue } from "../src/testing/index.ts";

let server = await testRedis();

describe.skipIf(server === undefined)("connectRedis", () => {
  const running = (): TestRedis => {
    if (server === undefined) throw new Error("skipped without a server");
    return server;
  };

  afterAll(async () => {
    await running().stop();
  });

  test("a command fails at once while Redis is away, and the connection comes back by itself", async () => {
    const redis = connectRedis({ url: running().url, name: "kit", commandTimeoutMs: 5_000 });
    await untilTrue(() => redis.status === "ready", 5_000);
    expect(await redis.set("a", "1")).toBe("OK");
    const { port } = running();
    await running().stop("SIGKILL");
    await untilTrue(() => redis.status !== "ready", 5_000);
    const startedAtMs = performance.now();
    await expect(redis.get("a")).rejects.toThrow();
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    server = await testRedis({ port });
    await untilTrue(() => redis.status === "ready", 5_000);
    expect(await redis.get("a")).toBeNull();
    redis.disconnect();
  });

  test("a slow Redis costs at most the command's time-out", async () => {
    const redis = connectRedis({ url: running().url, name: "kit", commandTimeoutMs: 100 });
    const other = connectRedis({ url: running().url, name: "other", commandTimeoutMs: 5_000 });
    await untilTrue(() => redis.status === "ready" && other.status === "ready", 5_000);
    await other.client("PAUSE", 2_500, "ALL");
    const startedAtMs = performance.now();
    await expect(redis.get("a")).rejects.toThrow(/timed out/i);
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    redis.disconnect();
    other.disconnect();
  });

  test("a command in flight when Redis dies fails and is not sent again", async () => {
    const redis = connectRedis({ url: running().url, name: "kit", commandTimeoutMs: 5_000 });
    await untilTrue(() => redis.status === "ready", 5_000);
    const waiting = redis.blpop("nothing", 0).catch((caught: unknown) => caught);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { port } = running();
    await running().stop("SIGKILL");
    expect(await waiting).toBeInstanceOf(Error);
    server = await testRedis({ port });
    redis.disconnect();
  });
});

test("a Redis that never was fails at once as well", async () => {
  const redis = connectRedis({ url: `redis://127.0.0.1:${portOfNobody}`, name: "kit", commandTimeoutMs: 500 });
  await expect(redis.get("a")).rejects.toThrow();
  redis.disconnect();
});
