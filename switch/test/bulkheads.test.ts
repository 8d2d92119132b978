/** A full switch, over a real link: who is sent away, with what answer, and that nothing was done for him. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { BulkheadSettings } from "../src/app/live-limits.ts";
import { outcomes } from "./processor-double.ts";
import { authorizedOver, createRequest, newWireCaller, openRpcStage, type Payments, type RpcStage, within } from "./rpc-stage.ts";

let rpc: RpcStage;
beforeAll(async () => {
  rpc = await openRpcStage();
});
afterAll(() => rpc.stop());

const held: (() => void)[] = [];
let running: Promise<unknown>[] = [];
afterEach(async () => {
  for (const answer of held.splice(0)) answer();
  await Promise.all(running);
  running = [];
  rpc.stage.processor.reset();
});

async function openFor(bulkheads: Partial<BulkheadSettings>): Promise<Payments> {
  return rpc.ready("framed", "edge", await rpc.serve(rpc.stage.parts, { bulkheads: { inFlightMax: 10, ...bulkheads } }));
}

/** Puts so many authorizations in flight that the processor does not answer until the test is over. */
async function hold(client: Payments, count: number, caller?: ReturnType<typeof newWireCaller>): Promise<void> {
  rpc.stage.processor.behave = () => new Promise((resolve) => held.push(() => resolve({ told: outcomes.approved })));
  const goal = held.length + count;
  for (let one = 0; one < count; one += 1)
    running.push(client.createPayment({ ...createRequest(), ...(caller && { caller }) }, { timeoutMs: 30_000 }));
  await expect.poll(() => held.length, { interval: 5, timeout: 10_000 }).toBe(goal);
}

const share = (ceiling: number, ownMax = 1) => ({ ceiling, ownMax });

test("as more is in flight reads go first, then captures, then refunds and voids, then authorizations, and nothing is recorded", async () => {
  const classes = { read: share(0.4), capture: share(0.6), refund: share(0.8), authorize: share(1) };
  const client = await openFor({ classes });
  const { caller, paymentId } = await authorizedOver(client);
  const keyed = () => ({ caller, paymentId, idempotencyKey: randomUUID() });
  const asks = {
    get: () => client.getPayment({ caller, paymentId }, within),
    list: () => client.listPayments({ caller }, within),
    events: () => client.listPaymentEvents({ caller, paymentId }, within),
    capture: () => client.capturePayment(keyed(), within),
    void: () => client.voidPayment(keyed(), within),
    refund: () => client.refundPayment({ ...keyed(), reason: "duplicate" }, within),
    authorize: () => client.createPayment(createRequest(), within),
  };
  const sentAway = async (kinds: readonly (keyof typeof asks)[]) => {
    const before = await rpc.recorded();
    for (const kind of kinds)
      await expect(asks[kind]()).rejects.toMatchObject({ code: "overloaded", work: "not_done", retryAfterMs: 1_000 });
    expect(await rpc.recorded()).toEqual(before);
  };
  await asks.get();
  await hold(client, 4);
  await sentAway(["get", "list", "events"]);
  await hold(client, 2);
  await sentAway(["get", "capture"]);
  await hold(client, 2);
  await sentAway(["capture", "void", "refund"]);
  await hold(client, 2);
  await sentAway(["authorize"]);
});

test("a flood of one kind leaves the places of the others", async () => {
  const classes = { read: share(1), capture: share(1), refund: share(1), authorize: share(1, 0.5) };
  const client = await openFor({ classes });
  const { caller, paymentId } = await authorizedOver(client);
  await hold(client, 5);
  await expect(client.createPayment(createRequest(), within)).rejects.toMatchObject({ code: "overloaded", work: "not_done" });
  expect((await client.getPayment({ caller, paymentId }, within)).payment?.id).toBe(paymentId);
});

test("a noisy merchant is sent away at its share, and every other one finds room", async () => {
  const client = await openFor({ merchantShareOfFree: 1 });
  const noisy = newWireCaller();
  await hold(client, 5, noisy);
  for (let call = 0; call < 50; call += 1)
    await expect(client.createPayment({ ...createRequest(), caller: noisy }, within)).rejects.toMatchObject({ code: "overloaded" });
  rpc.stage.processor.behave = () => ({ told: outcomes.approved });
  for (let quiet = 0; quiet < 20; quiet += 1) await authorizedOver(client);
});
