import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import type { UpFile } from "../../stack/up-file.ts";
import { seededRandom } from "../random.ts";
import { decisionOf } from "./call.ts";
import { Load } from "./load.ts";

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

type Respond = (o: { key: string; tries: number; request: IncomingMessage; response: ServerResponse }) => void;

/** An edge that answers as `respond` says; `tries` counts the requests of a key. */
async function edge(respond: Respond): Promise<UpFile> {
  const tries = new Map<string, number>();
  server = createServer((request, response) => {
    const key = String(request.headers["idempotency-key"] ?? "");
    tries.set(key, (tries.get(key) ?? 0) + 1);
    request.resume().once("end", () => respond({ key, tries: tries.get(key) ?? 0, request, response }));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { edgeUrl: `http://127.0.0.1:${port}`, secretKey: "sk" } as UpFile;
}

const payment = '{"id":"pay_1","amount_captured":999999,"amount_refunded":999999}';

function merchants(up: UpFile, ratio: number): Load {
  const profile = { paymentsPerSecond: 100, doubles: { ratio, copiesMin: 3, copiesMax: 3 } };
  return new Load({ up, name: "d-0", tokens: ["tok"], random: seededRandom(5), profile });
}

async function run(load: Load, durationMs = 200): Promise<boolean> {
  load.start();
  await new Promise((resolve) => setTimeout(resolve, durationMs));
  return load.end(20_000);
}

test("what gets no final answer is asked again with its key until it has one, and every answer is kept", async () => {
  const up = await edge(({ tries, request, response }) => {
    if (request.method === "POST" && tries === 1) response.writeHead(503, { "retry-after": "0" }).end('{"error":{"code":"unavailable"}}');
    else if (request.method === "POST" && tries === 2) response.destroy();
    else response.writeHead(200).end(payment);
  });
  const load = merchants(up, 0);
  expect(await run(load)).toBe(true);
  expect(load.calls.length).toBeGreaterThan(10);
  expect(new Set(load.calls.map(({ key }) => key)).size).toBe(load.calls.length);
  expect(load.calls.every(({ key }) => key.startsWith("d-0-"))).toBe(true);
  for (const call of load.calls) {
    expect(call.answers.slice(0, 3).map(({ status }) => status)).toEqual([503, 0, 200]);
    expect(decisionOf(call)).toBe("yes");
  }
});

test("doubles go out at once under one key, and whoever never gets an answer is ended in time", async () => {
  const up = await edge(({ response }) => response.writeHead(202, { "retry-after": "2" }).end('{"id":null,"status":"processing"}'));
  const load = merchants(up, 1);
  load.start();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await load.end(300)).toBe(false);
  expect(load.calls.length).toBeGreaterThan(5);
  for (const call of load.calls) expect([call.answers.length >= 3, decisionOf(call)]).toEqual([true, undefined]);
});

test("a read that shows less than was told is kept", async () => {
  const up = await edge(({ request, response }) =>
    response.writeHead(200).end(request.method === "GET" ? '{"id":"pay_1","amount_captured":0,"amount_refunded":0}' : payment),
  );
  const load = merchants(up, 0);
  await run(load, 500);
  expect(load.badReads.length).toBeGreaterThan(0);
  expect(load.badReads[0]?.words).toMatch(/was told \d+ captured/);
});

test("recovery counts from the mending to the first yes of a request that was sent after it", async () => {
  let isAway = true;
  const up = await edge(({ response }) => {
    if (isAway) response.writeHead(503, { "retry-after": "0" }).end('{"error":{"code":"unavailable"}}');
    else response.writeHead(200).end(payment);
  });
  const load = merchants(up, 0);
  load.start();
  const sinceMs = performance.now();
  expect(await load.firstSuccessAfter(sinceMs, 300)).toBeUndefined();
  isAway = false;
  expect(await load.firstSuccessAfter(sinceMs, 10_000)).toBeGreaterThan(290);
  expect(await load.end(20_000)).toBe(true);
});
