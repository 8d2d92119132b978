/** DATABASE_URL, REDIS_URL and NATS_URL: a stack on servers that somebody else runs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestNats, type TestPostgres, type TestRedis, testNats, testPostgres, testRedis } from "@florin/runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authorize, down, freeBasePort, getPayment, runCommandLine, up } from "./command-line.ts";

const directory = mkdtempSync(join(tmpdir(), "florin-given-"));
const other = mkdtempSync(join(tmpdir(), "florin-other-"));
let database: TestPostgres;
let redis: TestRedis | undefined;
let nats: TestNats | undefined;
let env: Record<string, string>;
/** What the first test has paid. */
let earlier = { id: "", secretKey: "" };

beforeAll(async () => {
  [database, redis, nats] = await Promise.all([testPostgres(), testRedis(), testNats()]);
  env = { DATABASE_URL: database.superuserUrl, REDIS_URL: redis?.url ?? "", NATS_URL: nats?.url ?? "" };
});

afterAll(async () => {
  for (const one of [directory, other]) {
    await down(one);
    rmSync(one, { recursive: true, force: true });
  }
  await Promise.all([database.stop(), redis?.stop(), nats?.stop()]);
});

describe("servers that are given", () => {
  test("are used, left running by down, and keep their data for the next up", async () => {
    const words = redis === undefined || nats === undefined ? [] : ["--profile", "full"];
    const stack = await up(directory, words, env);
    expect(stack).toMatchObject({ databaseUrl: env["DATABASE_URL"] });
    if (redis !== undefined) expect(stack.redisUrl).toBe(redis.url);
    if (nats !== undefined) expect(stack.natsUrl).toBe(nats.url);
    const own = ["edge", "switch", "connectors", "vault", "ledger", "simulator"];
    expect(stack.processes.map(({ name }) => name).filter((name) => own.includes(name) || name === "postgres")).toEqual(own);
    const payment = await authorize(stack);
    expect(payment.status).toBe(201);
    earlier = { id: String(payment.body["id"]), secretKey: stack.secretKey };

    const stranger = await runCommandLine(["up", "--detach", "--directory", other, "--port", String(await freeBasePort())], env);
    expect([stranger.code, stranger.output]).toEqual([1, expect.stringContaining("belongs to other keys than those in secrets.json")]);
    expect((await authorize(stack)).status).toBe(201);

    expect((await down(directory)).code).toBe(0);
    const again = await up(directory, words, env);
    expect([again.secretKey, (await getPayment(again, String(payment.body["id"]))).body["status"]]).toEqual([
      stack.secretKey,
      "authorized",
    ]);
    expect((await down(directory)).code).toBe(0);
  });

  test("are wiped by --fresh, also from another directory", async () => {
    const { id, secretKey } = earlier;
    const after = await up(other, ["--profile", "embedded", "--fresh"], env);
    expect((await authorize(after)).status).toBe(201);
    expect((await getPayment(after, id)).status).toBe(404);
    expect((await getPayment({ ...after, secretKey }, id)).status).toBe(401);
    await down(other);
  });

  test("may be given up for the stack's own, which has a merchant of its own", async () => {
    const own = await up(directory);
    expect(own.processes.map(({ name }) => name)).toContain("postgres");
    expect((await authorize(own)).status).toBe(201);
    expect((await down(directory)).code).toBe(0);
  });
});
