import { createServer, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { drive } from "./drive.ts";
import type { Pace, Plan } from "./plan.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Answers after `delayMs(number of the request)`; keeps what it was sent. */
async function listen(delayMs: (number: number) => number, seen: string[] = []): Promise<number> {
  let number = 0;
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      seen.push(`${request.headers["idempotency-key"]} ${body}`);
      setTimeout(() => response.writeHead(201, { "content-length": 2 }).end("{}"), delayMs(number++));
    });
  });
  const own = server;
  await new Promise<void>((resolve) => own.listen(0, "127.0.0.1", resolve));
  const address = own.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const plan = (port: number, pace: Pace, change: Partial<Plan> = {}): Plan => ({
  host: "127.0.0.1",
  port,
  path: "/v1/payments/authorize",
  secretKey: "sk_test_x",
  tokens: ["tok_1", "tok_2"],
  runId: "run",
  pace,
  warmUpSeconds: 0.2,
  seconds: 1,
  requestsMax: 0,
  ...change,
});

test("at saturation every connection is kept busy, and no key is used twice", async () => {
  const seen: string[] = [];
  const port = await listen(() => 20, seen);
  const { result, answers } = await drive(plan(port, { kind: "saturate", inFlight: 8 }), () => 0);
  expect(answers).toBeGreaterThan(150);
  expect(answers).toBeLessThan(410);
  expect(result.answers).toEqual({ 201: answers });
  expect(new Set(seen.map((line) => line.split(" ")[0])).size).toBe(seen.length);
  expect(JSON.parse(seen[0]?.slice(seen[0].indexOf("{")) ?? "")).toMatchObject({
    currency: "EUR",
    capture_mode: "manual",
    payment_method: { type: "card", token: "tok_1" },
  });
});

test("requests begin by the clock, and one that waits counts from when it was due", async () => {
  // One answer takes 400 ms while 100 requests a second are due on one connection: those behind it waited, although each was quick itself.
  const port = await listen((number) => (number === 40 ? 400 : 0));
  const { result } = await drive(plan(port, { kind: "rate", perSecond: 100, inFlightMax: 1 }), () => 0);
  expect(result.dropped).toBe(0);
  expect(result.waitingMost).toBeGreaterThan(20);
  expect(result.latencyMs.p90).toBeGreaterThan(100);
  expect(result.latencyMs.p50).toBeLessThan(400);
});

test("a run ends early when it has its answers", async () => {
  const port = await listen(() => 0);
  const { answers } = await drive(plan(port, { kind: "saturate", inFlight: 4 }, { seconds: 30, requestsMax: 500 }), () => 0);
  expect(answers).toBeGreaterThanOrEqual(500);
  expect(answers).toBeLessThan(520);
});
