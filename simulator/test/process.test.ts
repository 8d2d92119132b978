/** The process itself: health, metrics, the end, and where it refuses to run. */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connectPostgres, createServiceDatabase, type Sql } from "@florin/runtime/postgres";
import { freePort, testPostgres, untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrate } from "../src/migrate.ts";
import { authorizationBody } from "./start-simulator.ts";

let postgres: Awaited<ReturnType<typeof testPostgres>>;
let owner: Sql;
let databaseUrl: string;

beforeAll(async () => {
  postgres = await testPostgres();
  const { ownerUrl, appUrl } = await createServiceDatabase({
    superuserUrl: postgres.superuserUrl,
    database: "florin_simulator",
    ownerPassword: "owner-secret",
    appPassword: "app-secret",
  });
  await migrate(ownerUrl);
  databaseUrl = appUrl;
  owner = connectPostgres({ url: ownerUrl, name: "test", connectionsMax: 1 });
});

afterAll(async () => {
  await owner?.end({ timeout: 5 });
  await postgres?.stop();
});

type Process = { readonly child: ChildProcess; readonly url: string; readonly adminUrl: string; output(): string };

async function spawnSimulator(env: Readonly<Record<string, string>> = {}): Promise<Process> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, [new URL("../src/main.ts", import.meta.url).pathname], {
    env: {
      ...process.env,
      FLORIN_HTTP_PORT: String(port),
      FLORIN_ADMIN_PORT: String(adminPort),
      FLORIN_DATABASE_URL: databaseUrl,
      FLORIN_SIMPAY_API_KEY: "simpay_test",
      FLORIN_DIE_WITH_PARENT: "1",
      ...env,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => lines.push(chunk.toString()));
  return { child, url: `http://127.0.0.1:${port}`, adminUrl: `http://127.0.0.1:${adminPort}`, output: () => lines.join("") };
}

async function stopped({ child }: Process): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  return (await once(child, "exit"))[0] as number | null;
}

describe("a running simulator", () => {
  let simulator: Process;
  const admin = async (path: string) => {
    const response = await fetch(simulator.adminUrl + path);
    return { status: response.status, text: await response.text() };
  };
  const authorize = (reference: string, change: Record<string, unknown> = {}) =>
    fetch(`${simulator.url}/v1/authorizations`, {
      method: "POST",
      headers: { authorization: "Bearer simpay_test", "content-type": "application/json", "idempotency-key": reference },
      body: JSON.stringify(authorizationBody({ payment_id: `pay_${reference}`, ...change })),
    });

  beforeAll(async () => {
    simulator = await spawnSimulator();
    await untilTrue(async () => (await admin("/health/ready")).status === 200, 15_000);
  });
  afterAll(() => simulator?.child.kill("SIGKILL"));

  test("lives, and is ready while its books answer", async () => {
    expect((await admin("/health/live")).status).toBe(200);
    expect(JSON.parse((await admin("/health/ready")).text)).toEqual({ ready: true, parts: { books: "up" } });
    await owner`ALTER TABLE operations RENAME TO operations_away`;
    const away = await admin("/health/ready");
    await owner`ALTER TABLE operations_away RENAME TO operations`;
    expect([away.status, JSON.parse(away.text)]).toEqual([503, { ready: false, parts: { books: "down" } }]);
    await untilTrue(async () => (await admin("/health/ready")).status === 200, 5_000);
    expect((await admin("/health/live")).status).toBe(200);
  });

  test("counts what was asked, what its books did, and which faults it made", async () => {
    await fetch(`${simulator.url}/admin/rules`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ fault: "outage", match: { reference_prefix: "att_out" } }),
    });
    const statuses: number[] = [];
    for (const reference of ["att_1", "att_1", "att_out"]) statuses.push((await authorize(reference)).status);
    statuses.push((await authorize("att_1", { amount: 999 })).status);
    statuses.push((await fetch(`${simulator.url}/v1/operations/att_1`, { headers: { authorization: "Bearer simpay_test" } })).status);
    expect(statuses).toEqual([201, 200, 503, 409, 200]);
    const { text } = await admin("/metrics");
    for (const [operation, result] of [
      ["authorization", "booked"],
      ["authorization", "repeated"],
      ["authorization", "not_reached"],
      ["authorization", "refused"],
      ["query", "found"],
    ])
      expect(text).toMatch(new RegExp(`simulator_requests_total\\{operation="${operation}",result="${result}"\\} 1\\b`));
    expect(text).toMatch(/simulator_faults_total\{fault="outage"\} 1\b/);
    expect(text).toContain("process_resident_memory_bytes");
  });

  test("ends with 0 when it is told to, after the answers that are under way, and has logged no card", async () => {
    await fetch(`${simulator.url}/admin/latency`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ latency: "400" }),
    });
    const asked = ["att_e1", "att_e2", "att_e3"].map((reference) => authorize(reference));
    await untilTrue(async () => {
      const response = await fetch(`${simulator.url}/admin/books/charges?reference=att_e3`);
      return ((await response.json()) as { count: number }).count === 1;
    }, 5_000);
    simulator.child.kill("SIGTERM");
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(await stopped(simulator)).toBe(0);
    expect(simulator.output()).toContain("simulator listens");
    expect(simulator.output()).not.toMatch(/4242424242424242|simpay_test/);
  });
});

test.each([
  [
    "production, whatever its settings",
    {
      FLORIN_ENVIRONMENT: "production",
      FLORIN_SIMPAY_API_KEY: randomBytes(16).toString("hex"),
      FLORIN_DATABASE_URL: `postgres://app:${randomBytes(16).toString("hex")}@127.0.0.1:9/x`,
    },
    /does not run in production/,
  ],
  ["a latency that is none", { FLORIN_SIMULATOR_LATENCY: "fast" }, /FLORIN_SIMULATOR_LATENCY/],
  ["no key", { FLORIN_SIMPAY_API_KEY: "" }, /FLORIN_SIMPAY_API_KEY/],
])("it refuses %s, and says why", async (_what, env, why) => {
  const simulator = await spawnSimulator(env);
  expect(await stopped(simulator)).toBe(1);
  expect(simulator.output()).toMatch(why);
});
