import { afterEach, describe, expect, test } from "vitest";
import { type Child, startChild } from "./child.ts";

const children: Child[] = [];

function life(mode: string, options: Parameters<typeof startChild>[2] = {}): Child {
  const child = startChild("life", [mode], options);
  children.push(child);
  return child;
}

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.process.kill("SIGKILL");
    await child.ended;
  }
});

const stopped = (child: Child): readonly unknown[] =>
  child.lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line["msg"] === "part stopped" || line["msg"] === "part did not stop cleanly")
    .map((line) => line["part"]);

describe("a process", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("%s drains the parts in order and exits 0", async (signal) => {
    const child = life("well");
    await child.logged("started");
    child.process.kill(signal);
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(stopped(child)).toEqual(["rpc", "broken", "database", "admin", "telemetry"]);
  });

  test("a second signal ends it at once with 1", async () => {
    const child = life("slow-drain");
    await child.logged("started");
    child.process.kill("SIGTERM");
    await child.logged("draining");
    child.process.kill("SIGTERM");
    expect(await child.ended).toEqual({ code: 1, signal: null });
  });

  test("a drain that takes too long ends with 1", async () => {
    const child = life("hangs");
    await child.logged("started");
    child.process.kill("SIGTERM");
    expect(await child.ended).toEqual({ code: 1, signal: null });
    await child.logged("drain took too long");
  });

  test("a part that cannot stop does not keep the next from draining, and is told by the exit code", async () => {
    const child = life("broken-part");
    await child.logged("started");
    child.process.kill("SIGTERM");
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(stopped(child)).toEqual(["rpc", "broken", "database", "admin", "telemetry"]);
  });

  test("a start that fails is told and ends with 1", async () => {
    const child = life("cannot-start");
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(await child.logged("cannot start")).toMatchObject({ err: { message: "no database" } });
  });

  test("a signal during start drains as soon as the start is through", async () => {
    const child = life("slow-start");
    await child.logged("starting slowly");
    child.process.kill("SIGTERM");
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(stopped(child)).toHaveLength(5);
  });

  test("a bug that nobody caught ends it with 1", async () => {
    const child = life("bug");
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(await child.logged("unhandled rejection")).toMatchObject({ level: "fatal", err: { message: "a bug" } });
  });

  test("the end of the parent counts as SIGTERM when asked for", async () => {
    const child = life("well", { env: { FLORIN_DIE_WITH_PARENT: "1" }, stdin: "pipe" });
    await child.logged("started");
    child.process.stdin?.destroy();
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(await child.logged("draining")).toMatchObject({ reason: "parent gone" });
  });
});

describe("the admin port", () => {
  test("says live, ready with its parts, metrics; and not ready while draining", async () => {
    const child = life("slow-drain");
    const { admin_port: port } = await child.logged("listening");
    const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${String(port)}${path}`, init);
    await child.logged("started");
    expect(await (await get("/health/live")).json()).toEqual({ live: true });
    const ready = await get("/health/ready");
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ ready: true, parts: { database: "up", cache: "degraded" } });
    expect(await (await get("/metrics")).text()).toContain("process_resident_memory_bytes");
    expect((await get("/nothing")).status).toBe(404);
    expect((await get("/metrics", { method: "POST" })).status).toBe(405);
    child.process.kill("SIGTERM");
    await child.logged("draining");
    expect((await get("/health/ready")).status).toBe(503);
    expect((await get("/health/live")).status).toBe(200);
  });
});
