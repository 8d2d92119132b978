/** The acquirer that answers later: its own words over HTTP, the books of the others, signed callbacks, and no eye for references. */
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Secret } from "@florin/kernel";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startSimulator, type TestSimulator } from "./start-simulator.ts";

type Received = { readonly headers: Readonly<Record<string, unknown>>; readonly body: string };
const key = Buffer.alloc(32, 7);
const received: Received[] = [];
let simulator: TestSimulator;
/** What callbacks are answered with, in turn; then 200. */
const statuses: number[] = [];
const listener = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  received.push({ headers: request.headers, body });
  response.writeHead(statuses.shift() ?? 200).end();
});
let number = 0;
const next = (prefix: string) => `${prefix}_${++number}`;

beforeAll(async () => {
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  simulator = await startSimulator({
    simlater: {
      apiKey: new Secret(Buffer.from("later_test")),
      url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/there`,
      keyId: "key-1",
      key: new Secret(Buffer.from(key)),
      callbackDelayMs: 5,
    },
  });
});
afterAll(async () => {
  await simulator?.stop();
  listener.close();
});
beforeEach(async () => {
  await simulator.call("POST", "/admin/reset");
  received.length = 0;
  statuses.length = 0;
});

async function later(method: string, path: string, body?: unknown, apiKey = "later_test") {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { "x-later-key": apiKey, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const response = await fetch(simulator.url + path, { method, headers, ...json });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

function orderBody(change: Record<string, unknown> = {}) {
  return {
    orderRef: next("att"),
    shop: "mer_1",
    purchase: next("pay"),
    total: { value: "10.00", ccy: "EUR" },
    settle: false,
    ...change,
    instrument: { pan: "4242424242424242", until: "12/35", code: "123", ...(change["instrument"] as object | undefined) },
  };
}

const eventsOf = (orderRef: string) =>
  received
    .map(({ body }) => JSON.parse(body) as { eventId: string; report: Record<string, unknown> })
    .filter(({ report }) => report["orderRef"] === orderRef);
const charges = async (orderRef: string) => (await simulator.call("GET", `/admin/books/charges?reference=${orderRef}`)).body;

test("an order is taken with 202, and its end comes by a callback with a right signature", async () => {
  const order = orderBody();
  expect(await later("POST", "/later/orders", order)).toMatchObject({ status: 202, body: { taken: true, orderRef: order.orderRef } });
  await expect.poll(() => eventsOf(order.orderRef).length).toBe(1);
  const [{ headers, body }] = received as [Received];
  const time = String(headers["x-later-time"]);
  expect(headers["x-later-key"]).toBe("key-1");
  expect(headers["x-later-signature"]).toBe(createHmac("sha256", key).update(`${time}.${body}`).digest("hex"));
  expect(Math.abs(Date.now() / 1_000 - Number(time))).toBeLessThan(10);
  const asked = await later("GET", `/later/orders?ref=${order.orderRef}`);
  expect(asked).toMatchObject({
    status: 200,
    body: { step: "ORDER", verdict: "GRANTED", why: "FINE", codeCheck: "Y", total: order.total },
  });
  expect(eventsOf(order.orderRef)[0]?.report).toEqual(asked.body);
  expect(await charges(order.orderRef)).toMatchObject({ count: 1, charges: [{ amount_authorized: 1_000, card_name: "visa" }] });
});

test("a callback that is not answered with 2xx comes again with the same event", async () => {
  statuses.push(500, 401);
  const order = orderBody();
  await later("POST", "/later/orders", order);
  await expect.poll(() => eventsOf(order.orderRef).length, { timeout: 5_000 }).toBe(3);
  expect(new Set(eventsOf(order.orderRef).map(({ eventId }) => eventId)).size).toBe(1);
  await expect
    .poll(async () => (await simulator.call("GET", `/admin/callbacks?reference=${order.orderRef}`)).body)
    .toMatchObject({ callbacks: [{ statuses: [500, 401, 200] }] });
});

test("an order that comes twice is two charges under one reference, and one payment that is charged twice", async () => {
  const order = orderBody();
  const before = (await simulator.call("GET", "/admin/books/summary")).body;
  await Promise.all([later("POST", "/later/orders", order), later("POST", "/later/orders", order)]);
  expect(await charges(order.orderRef)).toMatchObject({ count: 2 });
  const after = (await simulator.call("GET", "/admin/books/summary")).body;
  expect(Number(after["payments_charged_twice"]) - Number(before["payments_charged_twice"])).toBe(1);
  expect((await simulator.call("GET", `/admin/books/payments/${order.purchase}`)).body).toMatchObject({
    charges: 2,
    amount_authorized: 2_000,
  });
});

test("an order that comes ten times is refused in the end", async () => {
  const order = orderBody();
  const statusesSeen = [];
  for (let times = 0; times < 10; times++) statusesSeen.push((await later("POST", "/later/orders", order)).status);
  expect(statusesSeen).toEqual([202, 202, 202, 202, 202, 202, 202, 202, 202, 429]);
});

describe("steps", () => {
  const step = (id: string, word: string, value?: string) =>
    later("POST", `/later/orders/${id}/steps`, {
      orderRef: next("mov"),
      shop: "mer_1",
      step: word,
      ...(value === undefined ? {} : { total: { value, ccy: "EUR" } }),
    });
  const endOf = async (answer: { body: Record<string, unknown> }) =>
    (await later("GET", `/later/orders?ref=${answer.body["orderRef"]}`)).body;

  test("clear a part, release the rest, return some: by ticket or by reference", async () => {
    const order = orderBody();
    const { body } = await later("POST", "/later/orders", order);
    expect(await endOf(await step(String(body["ticket"]), "CLEAR", "4.00"))).toMatchObject({ step: "CLEAR", verdict: "GRANTED" });
    expect(await endOf(await step(order.orderRef, "RELEASE"))).toMatchObject({ verdict: "GRANTED", total: { value: "6.00" } });
    const returned = await step(order.orderRef, "RETURN", "1.50");
    await expect.poll(async () => (await endOf(returned))["verdict"]).toBe("PAID_OUT");
    await expect
      .poll(() => eventsOf(String(returned.body["orderRef"])).map(({ report }) => report["verdict"]))
      .toEqual(["QUEUED", "PAID_OUT"]);
    expect(await endOf(await step(order.orderRef, "CLEAR", "0.01"))).toMatchObject({ verdict: "REFUSED", why: "STEP_IMPOSSIBLE" });
  });

  test("a return that is still under way when its callback falls due is called back when it is paid out", async () => {
    const order = orderBody();
    await later("POST", "/later/orders", order);
    expect(await endOf(await step(order.orderRef, "CLEAR", "4.00"))).toMatchObject({ verdict: "GRANTED" });
    await simulator.call("POST", "/admin/rules", { fault: "callback_late", match: { operation: "refund" }, times: 1, delay_ms: 200 });
    await simulator.call("PUT", "/admin/settings", { refund_delay_ms: 600 });
    const returned = await step(order.orderRef, "RETURN", "1.50");
    // By its own clock the callback falls due 400 ms before the books have it.
    await simulator.call("PUT", "/admin/settings", { refund_delay_ms: 0 });
    const verdicts = () => eventsOf(String(returned.body["orderRef"])).map(({ report }) => report["verdict"]);
    await expect.poll(verdicts, { timeout: 5_000 }).toHaveLength(2);
    expect(verdicts()).toEqual(["QUEUED", "PAID_OUT"]);
  });

  test("of an order that is not there: 404", async () => {
    expect(await step("att_nobody", "RELEASE")).toMatchObject({ status: 404, body: { fault: "NO_SUCH_ORDER" } });
  });
});

test("a cancellation may be repeated, and an order that comes after it has no effect", async () => {
  const order = orderBody();
  const cancellation = {
    orderRef: next("rev"),
    step: "ORDER",
    of: order.orderRef,
    shop: "mer_1",
    purchase: order.purchase,
    total: order.total,
  };
  for (let times = 0; times < 2; times++)
    expect(await later("PUT", `/later/cancellations/${order.orderRef}`, cancellation)).toMatchObject({
      status: 200,
      body: { step: "CANCEL", verdict: "GRANTED" },
    });
  expect((await later("POST", "/later/orders", order)).status).toBe(202);
  await expect.poll(() => eventsOf(order.orderRef)[0]?.report).toMatchObject({ verdict: "CANCELLED" });
  expect(await charges(order.orderRef)).toMatchObject({ count: 0 });
});

test.each([
  ["no key", {}, "wrong", 401],
  ["cents for a yen", { total: { value: "10.00", ccy: "JPY" } }, undefined, 400],
  ["a number for an amount", { total: { value: 10, ccy: "EUR" } }, undefined, 400],
  ["no such currency", { total: { value: "10.00", ccy: "XXZ" } }, undefined, 400],
  ["nothing", { total: { value: "0.00", ccy: "EUR" } }, undefined, 400],
  ["a field that is not known", { amount: 5 }, undefined, 400],
])("%s is refused and books nothing", async (_what, change, apiKey, status) => {
  const order = orderBody(change);
  const fault = status === 401 ? "NO_KEY" : "NOT_UNDERSTOOD";
  expect(await later("POST", "/later/orders", order, apiKey)).toEqual({ status, body: { fault } });
  expect(await charges(order.orderRef)).toMatchObject({ count: 0, requests: 0 });
});

test("an acquirer that makes no callbacks leaves rules about them their turns", async () => {
  await simulator.call("POST", "/admin/rules", { fault: "callback_never", times: 1 });
  await simulator.call("GET", "/v1/operations/att_x");
  const order = orderBody();
  await later("GET", `/later/orders?ref=${order.orderRef}`);
  expect((await simulator.call("GET", "/admin/rules")).body).toMatchObject({ rules: [{ happened: 0 }] });
  await later("POST", "/later/orders", order);
  expect((await simulator.call("GET", "/admin/rules")).body).toMatchObject({ rules: [{ happened: 1 }] });
});
