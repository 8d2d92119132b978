/**
 * A full house, through real HTTP and a real link: who is sent away first, with what answer, and that nothing was done.
 *
 * "Within 5 ms" is not timed here: what is sent away has cost no command to the switch and no look at its body.
 */
import { request } from "node:http";
import type { OperationResult } from "@florin/gen/payments/v1/payments";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FrontDoorSettings } from "../src/app/front-door.ts";
import { type Answer, authorizeBody, call, done, type Edge, openStage, type Stage, type SwitchScript } from "./stage.ts";

let stage: Stage;
let secretKey: string;
beforeAll(async () => {
  stage = await openStage();
  secretKey = (await stage.newKey()).secretKey;
}, 60_000);
afterAll(() => stage.stop());

const paymentId = "pay_01krs6900025ehhm5dbkk4mr6w";
const heldBody = { ...authorizeBody, merchant_reference: "held" };

/** Authorizations that the switch does not answer until told to. */
const held: (() => void)[] = [];
let running: Promise<Answer>[] = [];
let edge: Edge;

const open = async (door: Partial<FrontDoorSettings>): Promise<void> => {
  edge = await stage.startEdge({ door: { inFlightMax: 10, ...door } });
};

beforeEach(() => {
  stage.script.reset();
  stage.script.operation = (_method, fields) =>
    fields["merchantReference"] === "held" ? new Promise<OperationResult>((resolve) => held.push(() => resolve(done()))) : done();
});

const letGo = async (): Promise<void> => {
  for (const answer of held.splice(0)) answer();
  await Promise.all(running);
  running = [];
};

afterEach(async () => {
  await letGo();
  await edge.stop();
});

/** Puts so many more authorizations in flight, and waits until the switch has them all. */
async function hold(count: number, key = secretKey): Promise<void> {
  const goal = held.length + count;
  for (let one = 0; one < count; one += 1) running.push(call(edge, "POST", "/v1/payments/authorize", { secretKey: key, body: heldBody }));
  await expect.poll(() => held.length, { interval: 5, timeout: 5_000 }).toBe(goal);
}

const asks = {
  read: () => call(edge, "GET", `/v1/payments/${paymentId}`, { secretKey }),
  capture: () => call(edge, "POST", `/v1/payments/${paymentId}/capture`, { secretKey, body: {} }),
  refund: () => call(edge, "POST", `/v1/payments/${paymentId}/refund`, { secretKey, body: { reason: "duplicate" } }),
  void: () => call(edge, "POST", `/v1/payments/${paymentId}/void`, { secretKey, body: {} }),
  authorize: () => call(edge, "POST", "/v1/payments/authorize", { secretKey, body: authorizeBody }),
};

function connectionsOf({ app }: Edge): Promise<number> {
  return new Promise((resolve, reject) =>
    app.fastify.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );
}

async function sentAway(): Promise<string[]> {
  const refused: string[] = [];
  for (const [kind, ask] of Object.entries(asks)) {
    const before = stage.script.received.length;
    const answer = await ask();
    if (answer.status !== 503) continue;
    refused.push(kind);
    expect(stage.script.received.length).toBe(before);
  }
  return refused;
}

describe("as more is in flight", () => {
  test("reads are sent away first, then captures, then refunds and voids, then authorizations, and the switch hears of none", async () => {
    await open({ ceilings: { read: 0.4, capture: 0.6, refund: 0.8, authorize: 1 } });
    expect(await sentAway()).toEqual([]);
    await hold(4);
    expect(await sentAway()).toEqual(["read"]);
    await hold(2);
    expect(await sentAway()).toEqual(["read", "capture"]);
    await hold(2);
    expect(await sentAway()).toEqual(["read", "capture", "refund", "void"]);
    await hold(2);
    expect(await sentAway()).toEqual(["read", "capture", "refund", "void", "authorize"]);
    await letGo();
    expect(await sentAway()).toEqual([]);
    const metrics = await edge.scrape();
    expect(metrics).toMatch(/edge_in_flight_requests(\{\})? 0/);
    expect(metrics).toMatch(/edge_shed_total\{[^}]*workload="read"[^}]*\} 4/);
    expect(metrics).toMatch(/edge_shed_total\{[^}]*workload="authorize"[^}]*\} 1/);
  });

  test("a kind of work that floods leaves the places of the others", async () => {
    await open({ bulkheads: { read: 0.4, capture: 0.4, refund: 0.4, authorize: 0.5 } });
    await hold(5);
    expect(await sentAway()).toEqual(["authorize"]);
    expect(await edge.scrape()).toMatch(/edge_shed_total\{[^}]*reason="bulkhead"[^}]*\} 1/);
  });
});

test("how many may come in is what the house says now, and again what the edge was started with when it says nothing", async () => {
  await open({});
  const say = async (version: number, calls: NonNullable<NonNullable<SwitchScript["limits"]["limits"]>["calls"]>) => {
    stage.script.limits = { version, limits: { requestsPerKey: [], calls } };
    await untilTrue(async () => new RegExp(`^edge_settings_version\\S* ${version}$`, "m").test(await edge.scrape()), 4_000);
  };
  try {
    await hold(3);
    expect(await sentAway()).toEqual([]);
    await say(11, {
      inFlightMax: 4,
      readsCeilingPercent: 75,
      capturesCeilingPercent: 100,
      refundsCeilingPercent: 100,
      retryAfterMs: 5_000,
    });
    expect(await sentAway()).toEqual(["read"]);
    await hold(1);
    expect(await sentAway()).toEqual(["read", "capture", "refund", "void", "authorize"]);
    expect((await asks.authorize()).headers.get("retry-after")).toBe("5");
    expect(await edge.scrape()).toMatch(/edge_in_flight_limit(\{\})? 4/);
    await say(12, {});
    expect(await sentAway()).toEqual([]);
  } finally {
    stage.script.limits = {};
  }
});

describe("who is sent away", () => {
  test("is told 503 overloaded, that nothing was done and when to come back", async () => {
    await open({ retryAfterMs: 3_000 });
    await hold(10);
    const answer = await asks.authorize();
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "3"]);
    expect(answer.body.error).toMatchObject({ type: "unavailable", code: "overloaded" });
    expect(answer.body.error.message).toContain("Nothing was done");
  });

  test("is told so over Connect too", async () => {
    await open({});
    await hold(10);
    const answer = await call(edge, "POST", "/florin.payments.v1.PaymentService/GetPayment", { secretKey, body: { paymentId } });
    expect([answer.body.code, answer.headers.get("retry-after")]).toEqual(["resource_exhausted", "1"]);
    expect(stage.script.received.filter(({ method }) => method === "getPayment")).toHaveLength(0);
  });

  test("is so before its body is looked at, and after its key is proven", async () => {
    await open({});
    await hold(10);
    const path = "/v1/payments/authorize";
    expect((await call(edge, "POST", path, { secretKey, body: "{ this is no JSON" })).status).toBe(503);
    expect((await call(edge, "POST", path, { secretKey: `${secretKey}x`, body: authorizeBody })).status).toBe(401);
  });

  test("hears the same whether its first line is plain or has to be taken apart, and is counted the same", async () => {
    await open({});
    await hold(10);
    const headers = { "x-request-id": "mine-1" };
    const answerTo = async (path: string) => {
      const answer = await call(edge, "POST", path, { secretKey, body: authorizeBody, headers });
      const { date: _date, "request-id": requestId, ...others } = Object.fromEntries(answer.headers);
      expect(answer.body.error.request_id).toBe(requestId);
      return { status: answer.status, headers: others, text: answer.text.replace(String(requestId), "") };
    };
    const plain = await answerTo("/v1/payments/authorize");
    expect(plain).toEqual(await answerTo("/v1/payments/authorize?"));
    expect(plain).toMatchObject({ status: 503, headers: { "x-request-id": "mine-1", "retry-after": "1", "cache-control": "no-store" } });
    const metrics = await edge.scrape();
    expect(metrics).toMatch(/edge_requests_total\{[^}]*route="authorizeNewPayment"[^}]*status_class="5xx"[^}]*\} 2/);
    expect(metrics).toMatch(/edge_shed_total\{[^}]*workload="authorize"[^}]*\} 2/);
  });

  test("is asked to close its connection when the edge is about to go", async () => {
    await open({});
    await hold(10);
    const drained = edge.app.drain(1_000);
    const answer = await asks.authorize();
    expect([answer.status, answer.headers.get("connection")]).toEqual([503, "close"]);
    await letGo();
    await drained;
  });

  test("may come again with the same key, and the payment is made once", async () => {
    await open({});
    await hold(10);
    const again = { secretKey, body: authorizeBody, key: `again-${process.pid}` };
    expect((await call(edge, "POST", "/v1/payments/authorize", again)).status).toBe(503);
    await letGo();
    expect((await call(edge, "POST", "/v1/payments/authorize", again)).status).toBe(201);
    expect(stage.script.received.filter((one) => one.request["idempotencyKey"] === again.key)).toHaveLength(1);
  });
});

test("a merchant that hangs up keeps its places until the switch has answered", async () => {
  await open({});
  const headers = { authorization: `Bearer ${secretKey}`, "content-type": "application/json" };
  const lost = Array.from({ length: 10 }, (_, index) => {
    const path = "/v1/payments/authorize";
    const idempotencyKey = `lost-${process.pid}-${index}`;
    const sent = request({
      port: edge.port,
      method: "POST",
      path,
      headers: { ...headers, "idempotency-key": idempotencyKey },
      agent: false,
    });
    sent.on("error", () => {});
    return sent.end(JSON.stringify(heldBody));
  });
  await expect.poll(() => held.length, { interval: 5, timeout: 5_000 }).toBe(10);
  for (const sent of lost) sent.destroy();
  await expect.poll(() => connectionsOf(edge), { interval: 5, timeout: 5_000 }).toBe(0);
  expect((await asks.authorize()).status).toBe(503);
  await letGo();
  await expect.poll(async () => (await asks.authorize()).status, { interval: 5, timeout: 5_000 }).toBe(201);
});

test("a noisy merchant is sent away at its share, and the calls of the others all come through", async () => {
  await open({ merchantShareOfFree: 1 });
  const noisy = (await stage.newKey()).secretKey;
  await hold(5, noisy);
  const flood = await Promise.all(
    Array.from({ length: 100 }, () => call(edge, "POST", "/v1/payments/authorize", { secretKey: noisy, body: heldBody })),
  );
  expect(new Set(flood.map(({ status }) => status))).toEqual(new Set([503]));
  expect(flood[0]?.body.error.message).toContain("this merchant");
  for (let quiet = 0; quiet < 20; quiet += 1) expect((await asks.authorize()).status).toBe(201);
  expect(held).toHaveLength(5);
  expect(await edge.scrape()).toMatch(/edge_shed_total\{[^}]*reason="fairness"[^}]*\} 100/);
});

describe("how many places there are", () => {
  /** Answers that were held for `heldMs`, of which the processor is said to have taken `processorMs`. */
  const rounds = async (processorMs: number): Promise<number> => {
    const heldMs = 500;
    stage.script.operation = async () => {
      await new Promise((resolve) => setTimeout(resolve, heldMs));
      return done({ processorMs });
    };
    for (let round = 0; round < 5; round += 1) await Promise.all(Array.from({ length: 60 }, () => asks.authorize()));
    return Number(/edge_in_flight_limit(?:\{\})? (\d+)/.exec(await edge.scrape())?.[1]);
  };

  test("is the least when our own part takes longer than the target", async () => {
    await open({ inFlightMin: 20, inFlightMax: 1_000, ownTimeTargetMs: 350 });
    expect(await rounds(0)).toBeLessThan(30);
  });

  test("grows with a processor that takes long, which is no part of ours", async () => {
    await open({ inFlightMin: 20, inFlightMax: 1_000, ownTimeTargetMs: 350 });
    expect(await rounds(500)).toBeGreaterThan(40);
  });
});

test("the longer a crowd, the later its end is told to come again; and the switch hears how long a merchant is waited for", async () => {
  await open({ retryAfterMs: 1_000, retryAfterMsMax: 5_000 });
  await hold(10);
  const { context } = stage.script.received.at(-1) ?? {};
  expect((context?.deadlineAtMs ?? 0) - Date.now()).toBeGreaterThan(1_000);
  expect((context?.deadlineAtMs ?? 0) - Date.now()).toBeLessThanOrEqual(5_000);
  // Ten were let in within the second that has passed: so many a second get a turn.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const waits: number[] = [];
  for (let call = 0; call < 60; call += 1) waits.push(Number((await asks.authorize()).headers.get("retry-after")));
  expect(waits[0]).toBe(1);
  expect(waits.at(-1)).toBe(5);
  expect(waits).toEqual(waits.toSorted((left, right) => left - right));
});
