/**
 * A caller's deadline, from its frame down to the log and the processor, on a real link and real PostgreSQL.
 *
 * Time passes by the stage's clock, which a test sets ahead at a named place: nothing here waits for a deadline, except where the vault hangs.
 */
import { randomUUID } from "node:crypto";
import { Disposition } from "@florin/gen/payments/v1/payments";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { CrashPoint } from "../src/app/crash-point.ts";
import { outcomes } from "./processor-double.ts";
import { createRequest, openRpcStage, type Payments, type RpcStage } from "./rpc-stage.ts";

let rpc: RpcStage;
beforeAll(async () => {
  rpc = await openRpcStage();
});
afterAll(() => rpc.stop());
beforeEach(() => rpc.stage.processor.reset());

/** A replica where `ms` go by at this place, once. */
async function slowAt(point: CrashPoint, ms: number): Promise<Payments> {
  let left = 1;
  const server = await rpc.serve({
    ...rpc.stage.parts,
    crashAt: (reached) => {
      if (reached !== point || left === 0) return;
      left -= 1;
      rpc.stage.clock.aheadMs += ms;
    },
  });
  return rpc.ready("framed", "edge", server);
}

const eventsOf = async (paymentId: string, client: Payments, request: ReturnType<typeof createRequest>) =>
  (await client.listPaymentEvents({ caller: request.caller, paymentId }, { timeoutMs: 5_000 })).entries.map(({ type }) => type);

test("a processor gets what is left of its caller's time without what recording takes, and at most 25 s", async () => {
  const client = await rpc.ready("framed");
  const { waits } = rpc.stage.processor;
  await client.createPayment(createRequest(), { timeoutMs: 10_000 });
  expect(waits.at(-1)).toBeGreaterThan(5_000);
  expect(waits.at(-1)).toBeLessThanOrEqual(9_500);
  await client.createPayment(createRequest(), { timeoutMs: 60_000 });
  expect(waits.at(-1)).toBeGreaterThan(20_000);
  expect(waits.at(-1)).toBeLessThanOrEqual(25_000);
});

test("time that was spent before the processor is asked is taken off", async () => {
  const client = await slowAt("after_claim", 6_000);
  await client.createPayment(createRequest(), { timeoutMs: 10_000 });
  expect(rpc.stage.processor.waits.at(-1)).toBeLessThanOrEqual(3_500);
});

test("an intent whose caller's time is over is not written, nothing is sent, and the key stays free", async () => {
  const client = await slowAt("after_claim", 9_500);
  const request = createRequest();
  const before = await rpc.recorded();
  await expect(client.createPayment(request, { timeoutMs: 10_000 })).rejects.toMatchObject({
    code: "deadline_exceeded",
    work: "not_done",
  });
  expect(await rpc.recorded()).toEqual(before);
  const { result } = await client.createPayment(request, { timeoutMs: 10_000 });
  expect(result?.disposition).toBe(Disposition.DONE);
});

test("an intent that is written is not sent when its caller has no time left, and the log says so", async () => {
  const client = await slowAt("after_intent_commit", 9_500);
  const request = createRequest();
  const sentBefore = rpc.stage.processor.calls.authorize;
  const { result } = await client.createPayment(request, { timeoutMs: 10_000 });
  expect([result?.disposition, result?.refusal?.code]).toEqual([Disposition.DONE, "processor_unavailable"]);
  expect(rpc.stage.processor.calls.authorize).toBe(sentBefore);
  expect(await eventsOf(result?.payment?.id ?? "", client, request)).toEqual(["authorization_requested", "authorization_not_sent"]);
});

test.each([
  ["approved", outcomes.approved, "payment_authorized"],
  ["declined", outcomes.declined, "authorization_declined"],
  ["unknown", outcomes.unknown, "authorization_unknown"],
] as const)("what a processor says after the caller's time is over is recorded: %s", async (_, told, event) => {
  const client = await rpc.ready("framed");
  const { processor, clock } = rpc.stage;
  processor.behave = () => {
    clock.aheadMs += 60_000;
    return { told };
  };
  const request = createRequest();
  const { result } = await client.createPayment(request, { timeoutMs: 10_000 });
  expect(await eventsOf(result?.payment?.id ?? "", client, request)).toEqual(["authorization_requested", event]);
});

test("the vault is waited for no longer than the caller waits, and nothing is written", async () => {
  const client = await rpc.ready("framed");
  const before = await rpc.recorded();
  rpc.stage.vault.isHung = true;
  // 900 ms of 1,400 for the vault, which would get 2 s from a caller that waits longer.
  const asked = client.createPayment(createRequest({ paymentMethod: { type: "card", token: `tok_${randomUUID().slice(0, 8)}` } }), {
    timeoutMs: 1_400,
  });
  await expect(asked).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
  rpc.stage.vault.isHung = false;
  expect(await rpc.recorded()).toEqual(before);
});

test("what an answer took at the processor is told apart from what it took here", async () => {
  const client = await rpc.ready("framed");
  const { processor, clock } = rpc.stage;
  processor.behave = () => {
    clock.aheadMs += 750;
    return { told: outcomes.approved };
  };
  const { result } = await client.createPayment(createRequest(), { timeoutMs: 10_000 });
  expect(result?.processorMs).toBeGreaterThanOrEqual(750);
  expect(result?.processorMs).toBeLessThan(5_000);
});
