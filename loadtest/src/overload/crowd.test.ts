import { createServer, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { crowd } from "./crowd.ts";
import { readOverloadOptions } from "./options.ts";
import type { CrowdPlan } from "./plan.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

const id = `pay_${"0".repeat(26)}`;

/** An edge that answers try number `tries` of a key as `respond` says. */
async function listen(respond: (tries: number) => { status: number; retryAfter?: string }, seen: [string, number][] = []): Promise<number> {
  const tries = new Map<string, number>();
  server = createServer((request, response) => {
    const key = String(request.headers["idempotency-key"]);
    tries.set(key, (tries.get(key) ?? 0) + 1);
    seen.push([key, performance.now()]);
    request.resume().once("end", () => {
      const { status, retryAfter } = respond(tries.get(key) ?? 0);
      const body = status === 201 ? `{"id":"${id}"}` : "{}";
      response.writeHead(status, { "content-length": body.length, ...(retryAfter && { "retry-after": retryAfter }) }).end(body);
    });
  });
  const own = server;
  await new Promise<void>((resolve) => own.listen(0, "127.0.0.1", resolve));
  const address = own.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

const plan = (port: number, changes: Partial<CrowdPlan> = {}): CrowdPlan => ({
  host: "127.0.0.1",
  port,
  path: "/v1/payments/authorize",
  secretKey: "sk_test_x",
  tokens: ["tok_1"],
  runId: "run",
  pace: { kind: "rate", perSecond: 20 },
  warmUpSeconds: 0,
  seconds: 3,
  retriesMax: 3,
  ...changes,
});

test("who is sent away comes again with its key when it is told to, and is counted once", async () => {
  const seen: [string, number][] = [];
  const port = await listen((tries) => (tries < 2 ? { status: 503, retryAfter: "1" } : { status: 201 }), seen);
  const { result } = await crowd(plan(port), () => 0);
  const [first] = seen[0] ?? [""];
  const [one = 0, two = 0] = seen.filter(([key]) => key === first).map(([, atMs]) => atMs);
  expect(two - one).toBeGreaterThan(950);
  expect(result.accepted).toBeGreaterThan(10);
  expect(result.sentAway).toBeGreaterThan(result.accepted);
  expect(result).toMatchObject({ gaveUp: 0, others: {}, retryAfterMsMean: 1_000 });
  expect(result.payments[0]?.[1]).toBe(id);
  // The wait is the client's own time: what is measured is the call that was accepted.
  expect(result.acceptedMs.p50).toBeLessThan(900);
});

test("who is sent away four times gives up, and what is neither 201, 503 nor 429 is named", async () => {
  const port = await listen((tries) => (tries % 2 === 1 ? { status: 503, retryAfter: "0" } : { status: 429 }));
  const { result } = await crowd(plan(port), () => 0);
  expect(result.gaveUp).toBeGreaterThan(10);
  expect(result.limited).toBeGreaterThan(10);
  expect(result.accepted).toBe(0);
  // A 503 that does not say when to come again is no answer of a full house.
  expect(result.others["503"]).toBeGreaterThan(10);
});

test("a saturating crowd is as many as it says", async () => {
  const port = await listen(() => ({ status: 201 }));
  const { result } = await crowd(plan(port, { pace: { kind: "saturate", clients: 4 }, seconds: 1 }), () => 0);
  expect(result.accepted).toBeGreaterThan(50);
  expect(result.waitingMost).toBe(0);
});

test("words are read, and wrong ones are told", () => {
  expect(readOverloadOptions(["--seconds", "8", "--only", "noisy"])).toMatchObject({ seconds: 8, only: ["noisy"], isShort: true });
  expect(readOverloadOptions([])).toMatchObject({ seconds: 60, only: ["crowd", "noisy", "processors"], isShort: false });
  for (const words of [["--seconds", "4"], ["--only", "loud"], ["--what"]])
    expect(() => readOverloadOptions(words)).toThrow("npm run drill -- overload");
});
