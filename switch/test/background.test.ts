import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { authorizeExisting, createOrAuthorize } from "../src/app/authorize-payment.ts";
import { capturePayment, refundPayment, voidPayment } from "../src/app/move-money.ts";
import { resolveOperation } from "../src/app/resolve-operation.ts";
import { createExpiringHolds } from "../src/store/expiring-holds.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createOpenOperations } from "../src/store/open-operations.ts";
import { createWorkerCheckpoints } from "../src/store/worker-checkpoints.ts";
import { sweepOnce } from "../src/workers/expire-authorizations.ts";
import { startRounds } from "../src/workers/follow-up-operations.ts";
import { lead } from "../src/workers/lead.ts";
import { outcomes } from "./processor-double.ts";
import { authorized, codeOf, createCommand, keyed, logger, newCaller, openStage, paymentOf, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ withRedis: false });
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.processor.reset();
  stage.clock.aheadMs = 0;
});

const dayMs = 24 * 3_600_000;
const statusOf = async (payment: { id: string; merchantId: string }) =>
  (await stage.parts.reader.newest({ id: payment.id, merchantId: payment.merchantId }))?.status;

describe("expiry", () => {
  // Each test moves the one clock on and back, which no clock of production does: the sweep begins anew.
  beforeEach(() => createWorkerCheckpoints(stage.sql).write("expiry_swept_through_ms", 0n));

  const sweep = async () => {
    const holds = createExpiringHolds(stage.sql);
    const checkpoints = createWorkerCheckpoints(stage.sql);
    let expired = 0;
    for (let rounds = 0; rounds < 20; rounds++) {
      const step = await sweepOnce({ parts: stage.parts, holds, checkpoints, logger }, new AbortController().signal);
      expired += step.expired;
      if (step.isDone) return expired;
    }
    throw new Error("the sweep does not end");
  };
  const postponed = async () => (await stage.sql`SELECT 1 FROM expiry_postponed`).length;

  test("a hold ends after its time, what was captured stays, and nothing is visited again", async () => {
    const { payment } = await authorized(stage.parts);
    const { payment: taken, caller } = await authorized(stage.parts);
    await capturePayment(stage.parts, { caller, ...keyed(), paymentId: taken.id, amount: 4_000n });
    const { payment: voided, caller: voider } = await authorized(stage.parts);
    await voidPayment(stage.parts, { caller: voider, ...keyed(), paymentId: voided.id });
    stage.clock.aheadMs = 7 * dayMs - 60_000;
    expect(await sweep()).toBe(0);
    stage.clock.aheadMs = 7 * dayMs + 120_000;
    expect(await sweep()).toBe(2);
    expect(await Promise.all([payment, taken, voided].map(statusOf))).toEqual(["expired", "captured", "voided"]);
    expect([await sweep(), await postponed()]).toEqual([0, 0]);
    expect(codeOf(await capturePayment(stage.parts, { caller, ...keyed(), paymentId: taken.id, amount: 1n }))).toBe(
      "payment_state_invalid",
    );
  });

  test("an attempt made late is visited again when its own hold runs out", async () => {
    const created = paymentOf(await createOrAuthorize(stage.parts, createCommand({ confirm: false })));
    const caller = { ...newCaller(), merchantId: created.merchantId };
    stage.clock.aheadMs = dayMs - 60_000;
    const attempt = { token: "tok_visa_4242", customerIp: "" };
    await authorizeExisting(stage.parts, { caller, ...keyed(), paymentId: created.id, attempt });
    stage.clock.aheadMs = 7 * dayMs + 300_000;
    expect([await sweep(), await postponed()]).toEqual([0, 1]);
    stage.clock.aheadMs = 8 * dayMs;
    expect([await sweep(), await postponed()]).toEqual([1, 0]);
    expect(await statusOf(created)).toBe("expired");
  });

  test("an operation under way is waited for", async () => {
    const { payment, caller } = await authorized(stage.parts);
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: "nothing" });
    await capturePayment(stage.parts, { caller, ...keyed(), paymentId: payment.id, amount: undefined });
    stage.clock.aheadMs = 7 * dayMs + 600_000;
    expect([await sweep(), await postponed()]).toEqual([0, 1]);
    await resolveOperation(stage.parts, { id: payment.id, merchantId: payment.merchantId }, () => true);
    stage.clock.aheadMs += 3_600_000;
    expect([await sweep(), await postponed()]).toEqual([1, 0]);
    expect(await statusOf(payment)).toBe("expired");
  });
});

describe("following up", () => {
  const open = () =>
    startRounds({
      parts: stage.parts,
      tail: createLogTail(stage.sql),
      operations: createOpenOperations(stage.sql),
      checkpoints: createWorkerCheckpoints(stage.sql),
      logger,
    });

  test("an unknown authorization is asked about after 1, 3, 7, 15 and 31 s, then called ambiguous, and a later answer is taken", async () => {
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.unknown });
    const rounds = await open();
    await rounds.next();
    const payment = paymentOf(await createOrAuthorize(stage.parts, createCommand()));
    await rounds.next();
    const askedAtS: number[] = [];
    for (let second = 1; second <= 32; second++) {
      stage.clock.aheadMs = second * 1_000 + 100;
      const before = stage.processor.calls.query;
      await rounds.next();
      if (stage.processor.calls.query > before) askedAtS.push(second);
    }
    expect(askedAtS.map((second) => Math.round(second))).toEqual([1, 3, 7, 15, 31]);
    expect(await statusOf(payment)).toBe("ambiguous");
    const shown = await stage.parts.reader.newest({ id: payment.id, merchantId: payment.merchantId });
    expect(shown?.resolvesByMs).toBeGreaterThan(Date.now());
    stage.processor.answerQuery = undefined;
    stage.clock.aheadMs = 3 * 60_000;
    await rounds.next();
    expect(await statusOf(payment)).toBe("authorized");
    await rounds.keep();
  });

  test("an accepted refund becomes succeeded or failed when the processor says so", async () => {
    const refunds = [];
    for (const booked of [outcomes.approved, outcomes.declined]) {
      stage.processor.behave = () => ({ told: outcomes.approved });
      const { payment, caller } = await authorized(stage.parts, { captureMode: "automatic" });
      stage.processor.behave = () => ({ told: outcomes.accepted, booked });
      const answer = await refundPayment(stage.parts, { caller, ...keyed(), paymentId: payment.id, amount: 2_500n, reason: "late" });
      expect(paymentOf(answer).refunds[0]?.status).toBe("processing");
      refunds.push(payment);
    }
    const rounds = await open();
    await rounds.next();
    stage.clock.aheadMs = 2_000;
    await rounds.next();
    const finals = await Promise.all(refunds.map(({ id, merchantId }) => stage.parts.reader.newest({ id, merchantId })));
    expect(finals.map((payment) => [payment?.refunds[0]?.status, payment?.refunded])).toEqual([
      ["succeeded", 2_500n],
      ["failed", 0n],
    ]);
    await rounds.keep();
  });

  test("an intent whose process died is found after its lease, asked about and ended, also after a restart of the reader", async () => {
    const dying = {
      ...stage.parts,
      crashAt: (point: string) => {
        if (point === "after_processor_answer") throw new Error("crashed");
      },
    };
    const rounds = await open();
    const command = createCommand();
    await expect(createOrAuthorize(dying, command)).rejects.toThrow("crashed");
    const { caller, idempotencyKey: key } = command;
    const stored = await stage.parts.reader.key({ merchantId: caller.merchantId, mode: caller.mode, key });
    const payment = { id: stored?.paymentId ?? "", merchantId: caller.merchantId };
    await rounds.next();
    stage.clock.aheadMs = 29_000;
    await rounds.next();
    expect(await statusOf(payment)).toBe("processing");
    await rounds.keep();
    const restarted = await open();
    await restarted.next();
    stage.clock.aheadMs = 60_000;
    await restarted.next();
    stage.clock.aheadMs = 62_000;
    await restarted.next();
    expect(await statusOf(payment)).toBe("authorized");
    expect(stage.processor.calls.authorize).toBe(1);
    const replay = await createOrAuthorize(stage.parts, command);
    expect([replay.kind, paymentOf(replay).status]).toEqual(["replayed", "authorized"]);
  });

  test("a query that comes while the operation is still running does not answer it twice", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    stage.processor.behave = async () => {
      await held;
      return { told: outcomes.approved };
    };
    stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.approved });
    const command = createCommand();
    const running = createOrAuthorize(stage.parts, command);
    await expect.poll(() => stage.processor.calls.authorize).toBe(1);
    stage.clock.aheadMs = 31_000;
    const asked = await createOrAuthorize(stage.parts, command);
    expect(asked.kind).toBe("replayed");
    release();
    const own = await running;
    expect(paymentOf(own)).toEqual(paymentOf(asked));
    expect(paymentOf(own).version).toBe(2);
  });
});

describe("leading", () => {
  test("one of two replicas works, and the other takes over when it stops", async () => {
    const working: string[] = [];
    const follow = (name: string) =>
      lead({
        name: "expiry",
        lockKey: 99,
        databaseUrl: stage.appUrl,
        logger,
        work: async (signal) => {
          working.push(name);
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        },
      });
    const first = follow("first");
    await expect.poll(() => working).toEqual(["first"]);
    const second = follow("second");
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(working).toEqual(["first"]);
    await first.stop();
    await expect.poll(() => working, { timeout: 5_000 }).toEqual(["first", "second"]);
    await second.stop();
  });
});
