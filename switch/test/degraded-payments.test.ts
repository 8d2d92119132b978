/**
 * Payments of a window in which the cache was away or had forgotten: marked by whatever operation ran in it, and found again by whoever reviews
 * the window. The database decided alone; these tests are about the record of that.
 */
import { connect, createServer, type Socket } from "node:net";
import { required } from "@florin/kernel";
import { connectRedis, type Redis } from "@florin/runtime/redis";
import { type TestRedis, testRedis } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { authorizeExisting, createOrAuthorize } from "../src/app/authorize-payment.ts";
import { capturePayment, refundPayment, voidPayment } from "../src/app/move-money.ts";
import type { CallerIdentity } from "../src/app/operation.ts";
import type { Parts } from "../src/app/parts.ts";
import { createClaims } from "../src/store/claims.ts";
import { createPaymentLists, type ListQuery } from "../src/store/payment-lists.ts";
import { authorized, createCommand, keyed, newCaller, openStage, paymentOf, type Stage } from "./stage.ts";

const leaseMs = 30_000;
let stage: Stage;
let without: Parts;

beforeAll(async () => {
  stage = await openStage();
  without = await stage.replica({ withRedis: false });
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.clock.aheadMs = 0;
});

/** Ids of the list of marked payments, newest first. */
async function listed(caller: CallerIdentity, query: Partial<ListQuery> = {}): Promise<readonly string[]> {
  const { merchantId, mode } = caller;
  const page = await createPaymentLists(stage.sql).list({ merchantId, mode, limit: 100, cursor: "", isDegraded: true, ...query });
  return page.payments.map(({ id }) => id);
}

describe("a payment", () => {
  beforeEach((context) => {
    if (stage.redisServer === undefined) context.skip("no redis-server here");
  });

  test("made while the cache answers is not marked and not listed", async () => {
    const { payment, caller } = await authorized(stage.parts);
    expect(payment.idempotencyDegraded).toBe(false);
    expect(await listed(caller)).toEqual([]);
  });

  test("is marked by any operation that ran without the cache, keeps the mark, and is listed once", async () => {
    const { parts } = stage;
    const operations: Readonly<Record<string, (caller: CallerIdentity, paymentId: string) => Promise<unknown>>> = {
      capture: (caller, paymentId) => capturePayment(without, { caller, paymentId, amount: 1_000n, ...keyed() }),
      refund: async (caller, paymentId) => {
        await capturePayment(parts, { caller, paymentId, amount: 5_000n, ...keyed() });
        await refundPayment(without, { caller, paymentId, amount: 1_000n, reason: "returned", ...keyed() });
      },
      void: (caller, paymentId) => voidPayment(without, { caller, paymentId, ...keyed() }),
    };
    for (const [name, operate] of Object.entries(operations)) {
      const { payment, caller } = await authorized(parts);
      await operate(caller, payment.id);
      const marked = required(await parts.reader.newest({ id: payment.id, merchantId: caller.merchantId }), "payment");
      expect([name, marked.idempotencyDegraded]).toEqual([name, true]);
      expect(await listed(caller)).toEqual([payment.id]);
    }
    const { payment, caller } = await authorized(without);
    await capturePayment(parts, { caller, paymentId: payment.id, amount: 1_000n, ...keyed() });
    await capturePayment(without, { caller, paymentId: payment.id, amount: 1_000n, ...keyed() });
    expect(await listed(caller)).toEqual([payment.id]);
  });

  test("is marked by an attempt on a payment that was made with the cache", async () => {
    const command = createCommand({ confirm: false });
    const { id } = paymentOf(await createOrAuthorize(stage.parts, command));
    const attempt = { token: "tok_visa_4242", customerIp: "" };
    await authorizeExisting(without, { caller: command.caller, paymentId: id, attempt, ...keyed() });
    expect(await listed(command.caller)).toEqual([id]);
  });

  test("that a merchant's neighbour, or its other mode, made is not in its list; status, reference and pages are as in any list", async () => {
    const caller = newCaller();
    const make = async (parts: Parts, changes: object = {}) => (await authorized(parts, { caller, ...changes })).payment.id;
    const first = await make(without, { merchantReference: "order-1" });
    await make(stage.parts, { merchantReference: "order-1" });
    const second = await make(without, { merchantReference: "order-2" });
    await voidPayment(without, { caller, paymentId: second, ...keyed() });
    await authorized(without, { caller: { ...caller, mode: "live" } });
    await authorized(without);
    expect(await listed(caller)).toEqual([second, first]);
    expect(await listed(caller, { status: "voided" })).toEqual([second]);
    expect(await listed(caller, { merchantReference: "order-1" })).toEqual([first]);
    const { merchantId, mode } = caller;
    const lists = createPaymentLists(stage.sql);
    const page = await lists.list({ merchantId, mode, limit: 1, cursor: "", isDegraded: true });
    expect(page.payments.map(({ id }) => id)).toEqual([second]);
    expect(await listed(caller, { cursor: page.nextCursor })).toEqual([first]);
  });
});

describe("a cache that has forgotten", () => {
  let server: TestRedis;
  let redis: Redis;
  let parts: Parts;

  const isMarked = async () => (await authorized(parts)).payment.idempotencyDegraded;
  const isUp = () => expect.poll(() => parts.claims.isAvailable, { timeout: 5_000 }).toBe(true);

  beforeEach(async (context) => {
    const started = await testRedis();
    if (started === undefined) return context.skip();
    server = started;
    redis = connectRedis({ url: server.url, name: "test", commandTimeoutMs: 500 });
    parts = {
      ...stage.parts,
      claims: createClaims({ redis, metrics: stage.parts.metrics, now: stage.parts.now, timing: stage.parts.timing }),
    };
    await isUp();
    return async () => {
      redis.disconnect();
      await server.stop();
    };
  });

  test("was emptied: payments are marked for a lease, then no more", async () => {
    expect(await isMarked()).toBe(false);
    await redis.flushall();
    expect([await isMarked(), await isMarked()]).toEqual([true, true]);
    stage.clock.aheadMs = leaseMs - 5_000;
    expect(await isMarked()).toBe(true);
    stage.clock.aheadMs = leaseMs + 1_000;
    expect(await isMarked()).toBe(false);
  });

  test("was emptied, and another replica came first: it is noticed all the same", async () => {
    expect(await isMarked()).toBe(false);
    await redis.flushall();
    const other = connectRedis({ url: server.url, name: "test", commandTimeoutMs: 500 });
    const others = createClaims({ redis: other, metrics: stage.parts.metrics, now: stage.parts.now, timing: stage.parts.timing });
    await expect.poll(() => others.isAvailable).toBe(true);
    await authorized({ ...stage.parts, claims: others });
    expect(await isMarked()).toBe(true);
    other.disconnect();
  });

  test("failed over to a replica that had not received the last claims: one charge, and the window is marked", async () => {
    const replica = required(await testRedis(), "a second redis");
    const address = await openAddress(server.port);
    const client = connectRedis({ url: address.url, name: "test", commandTimeoutMs: 500 });
    const copy = connectRedis({ url: replica.url, name: "copy", commandTimeoutMs: 1_000 });
    parts = {
      ...stage.parts,
      claims: createClaims({ redis: client, metrics: stage.parts.metrics, now: stage.parts.now, timing: stage.parts.timing }),
    };
    try {
      await isUp();
      await createOrAuthorize(parts, createCommand());
      await expect.poll(() => copy.status).toBe("ready");
      await redis.config("SET", "repl-diskless-sync-delay", "0");
      await copy.replicaof("127.0.0.1", server.port);
      await expect.poll(() => copy.get("florin:memory"), { timeout: 10_000 }).not.toBeNull();
      await copy.replicaof("NO", "ONE");
      // What comes now the replica does not receive.
      const late = createCommand();
      const done = await createOrAuthorize(parts, late);
      const charges = stage.processor.calls.authorize;
      address.leadTo(replica.port);
      await server.stop("SIGKILL");
      await expect.poll(() => client.status, { interval: 1 }).not.toBe("ready");
      await isUp();
      expect(await createOrAuthorize(parts, late)).toEqual({ ...done, kind: "replayed" });
      expect(stage.processor.calls.authorize).toBe(charges);
      expect(await isMarked()).toBe(true);
      stage.clock.aheadMs = leaseMs + 1_000;
      expect(await isMarked()).toBe(false);
    } finally {
      client.disconnect();
      copy.disconnect();
      await address.close();
      await replica.stop();
    }
  });
});

type Address = { readonly url: string; leadTo(port: number): void; close(): Promise<void> };

/** The address under which clients find the primary, whichever that is. */
async function openAddress(port: number): Promise<Address> {
  let primaryPort = port;
  const open = new Set<Socket>();
  const front = createServer((client) => {
    const primary = connect(primaryPort, "127.0.0.1");
    for (const [one, other] of [[client, primary] as const, [primary, client] as const]) {
      open.add(one);
      one.pipe(other);
      one.once("error", () => other.destroy());
      one.once("close", () => open.delete(one) && other.destroy());
    }
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const own = front.address();
  return {
    url: `redis://127.0.0.1:${typeof own === "object" ? own?.port : 0}`,
    leadTo(next) {
      primaryPort = next;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => front.close(resolve));
    },
  };
}
