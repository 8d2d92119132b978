/** Outcomes that nobody knew, by the strategy that a connector declares, and approvals that come too late. */
import { idToHex, required } from "@florin/kernel";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { authorizeExisting, createOrAuthorize } from "../src/app/authorize-payment.ts";
import type { News } from "../src/app/follow-up.ts";
import { capturePayment, refundPayment, voidPayment } from "../src/app/move-money.ts";
import { reportOpen } from "../src/app/open-report.ts";
import type { Parts } from "../src/app/parts.ts";
import { reversalIdOf } from "../src/app/reversal.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createOpenOperations } from "../src/store/open-operations.ts";
import { createWorkerCheckpoints } from "../src/store/worker-checkpoints.ts";
import { type Rounds, startRounds } from "../src/workers/follow-up-operations.ts";
import { outcomes, type Strategy } from "./processor-double.ts";
import { authorized, codeOf, createCommand, keyed, logger, openStage, paymentOf, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ withRedis: false });
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.processor.reset();
  stage.clock.aheadMs = 0;
  stage.clock.wallAheadMs = 0;
});

/** A replica that has not asked yet what the connectors can do, and its recovery. */
async function recovering(unknownStrategy: Strategy, o: { readonly reversal: boolean }): Promise<{ parts: Parts; rounds: Rounds }> {
  stage.processor.abilities = { unknownStrategy, reversal: o.reversal };
  const parts = await stage.replica();
  const rounds = await openRounds(parts);
  await rounds.next();
  return { parts, rounds };
}

const openRounds = (parts: Parts, news?: News) =>
  startRounds({
    parts,
    ...(news === undefined ? {} : { news }),
    tail: createLogTail(stage.sql),
    operations: createOpenOperations(stage.sql),
    checkpoints: createWorkerCheckpoints(stage.sql),
    logger,
  });

/** Lets time pass and recovery work. */
async function after(rounds: Rounds, ms: number): Promise<void> {
  await rounds.next();
  stage.clock.aheadMs += ms;
  await rounds.next();
}

/** The processor corrects its books. */
function bookWith(amount: bigint): void {
  for (const [reference, booked] of stage.processor.books) stage.processor.books.set(reference, { ...booked, amount });
}

type Paid = { readonly id: string; readonly merchantId: string };
const newest = async ({ id, merchantId }: Paid) => required(await stage.parts.reader.newest({ id, merchantId }), "a payment of this test");
const timelineOf = async ({ id, merchantId }: Paid) =>
  (await stage.parts.reader.timeline({ id, merchantId }, { afterSequence: 0, limit: 100 })).map(({ event }) => event);
const typesOf = async (payment: Paid) => (await timelineOf(payment)).map(({ type }) => type);

describe("by asking", () => {
  test("what the processor does not have it is told to refuse, before it is called failed", async () => {
    const { parts, rounds } = await recovering("query", { reversal: true });
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: "nothing" });
    const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
    await after(rounds, 1_100);
    expect(stage.processor.calls.reverse).toBe(0);
    await after(rounds, 30_000);
    expect(stage.processor.reversed).toContain(payment.authorizationId);
    expect((await newest(payment)).status).toBe("declined");
    expect((await timelineOf(payment)).at(-1)).toMatchObject({ type: "authorization_reversed", details: { cause: "not_found" } });
    await rounds.keep();
  });

  test("what cannot be undone is asked about again", async () => {
    const { parts, rounds } = await recovering("query", { reversal: true });
    const { payment, caller } = await authorized(parts);
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: "nothing" });
    stage.processor.answerReversal = () => outcomes.declined;
    await voidPayment(parts, { caller, ...keyed(), paymentId: payment.id });
    await after(rounds, 31_000);
    expect((await newest(payment)).openOperations).toHaveLength(1);
    // It arrived after the first question.
    stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.approved });
    await after(rounds, 10_000);
    expect((await newest(payment)).status).toBe("voided");
    await rounds.keep();
  });

  test("a question names what was asked for, so that a partial approval stays unknown", async () => {
    const { parts, rounds } = await recovering("query", { reversal: true });
    stage.processor.behave = () => ({ told: outcomes.mismatch, booked: outcomes.approved, bookedAmount: 999n });
    const payment = paymentOf(await createOrAuthorize(parts, createCommand({ amount: 1_000n })));
    for (const ms of [1_100, 31_000, 60_000]) await after(rounds, ms);
    expect(stage.processor.calls.query).toBeGreaterThan(1);
    expect(await newest(payment)).toMatchObject({ authorized: 0n, openOperations: [{ kind: "authorize", isUnknown: true }] });
    expect(stage.processor.reversed.size).toBe(0);
    bookWith(1_000n);
    await after(rounds, 600_000);
    expect(await newest(payment)).toMatchObject({ status: "authorized", authorized: 1_000n, openOperations: [] });
    await rounds.keep();
  });

  test.each(["capture", "refund"] as const)(
    "a %s that was booked in part stays unknown, one that was booked whole is found",
    async (kind) => {
      const { parts, rounds } = await recovering("query", { reversal: true });
      const { payment, caller } = await authorized(parts);
      const move = {
        capture: () => capturePayment(parts, { caller, ...keyed(), paymentId: payment.id, amount: 300n }),
        refund: () => refundPayment(parts, { caller, ...keyed(), paymentId: payment.id, amount: 300n, reason: "returned" }),
      } as const;
      if (kind === "refund") await capturePayment(parts, { caller, ...keyed(), paymentId: payment.id, amount: undefined });
      stage.processor.behave = () => ({ told: outcomes.mismatch, booked: outcomes.approved, bookedAmount: 299n });
      await move[kind]();
      stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
      await move[kind]();
      await after(rounds, 1_100);
      await after(rounds, 31_000);
      expect((await newest(payment)).openOperations).toMatchObject([{ kind, amount: 300n, isUnknown: true }]);
      const done = (await typesOf(payment)).filter((type) => type === (kind === "capture" ? "payment_captured" : "refund_succeeded"));
      expect(done).toHaveLength(1);
      bookWith(300n);
      await after(rounds, 600_000);
      expect((await newest(payment)).openOperations).toEqual([]);
      await rounds.keep();
    },
  );

  test("a processor that cannot reverse is believed after the lease", async () => {
    const { parts, rounds } = await recovering("query", { reversal: false });
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: "nothing" });
    const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
    await after(rounds, 31_000);
    expect((await newest(payment)).status).toBe("declined");
    expect(stage.processor.calls.reverse).toBe(0);
    await rounds.keep();
  });
});

test("an operation that its processor has called back about is asked about at once, not at its next turn", async () => {
  const parts = await stage.replica();
  stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
  const known = new Set<string>();
  const rounds = await openRounds(parts, {
    offer(isTaken) {
      for (const uuid of known) if (isTaken(uuid)) known.delete(uuid);
    },
  });
  const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
  await rounds.next();
  await rounds.next();
  // Its first turn is a second away.
  expect((await newest(payment)).status).toBe("processing");
  known.add(idToHex(payment.authorizationId));
  await rounds.next();
  expect((await newest(payment)).status).toBe("authorized");
  expect(known.size).toBe(0);
  await rounds.keep();
});

test("a wall clock that is an hour ahead makes nobody believe that an operation is old", async () => {
  const { parts, rounds } = await recovering("query", { reversal: false });
  stage.processor.behave = () => ({ told: outcomes.unknown, booked: "nothing" });
  const command = createCommand();
  const payment = paymentOf(await createOrAuthorize(parts, command));
  stage.clock.wallAheadMs = 3_600_000;
  expect((await createOrAuthorize(parts, command)).kind).toBe("in_flight");
  expect(stage.processor.calls.query).toBe(1);
  expect((await newest(payment)).status).toBe("processing");
  stage.clock.wallAheadMs = 0;
  await after(rounds, 31_000);
  expect((await newest(payment)).status).toBe("declined");
  await rounds.keep();
});

test("a wall clock that is set back puts no question off", async () => {
  const { parts, rounds } = await recovering("query", { reversal: false });
  stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
  stage.clock.wallAheadMs = 3_600_000;
  const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
  await rounds.next();
  stage.clock.wallAheadMs = 0;
  await after(rounds, 1_100);
  expect((await newest(payment)).status).toBe("authorized");
  await rounds.keep();
});

describe("by repeating", () => {
  test("the same operation with the same reference is carried out once, and its answer is taken", async () => {
    const { parts, rounds } = await recovering("repeat", { reversal: false });
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    const command = createCommand();
    const payment = paymentOf(await createOrAuthorize(parts, command));
    await after(rounds, 1_100);
    expect((await newest(payment)).status).toBe("authorized");
    const { caller } = command;
    await capturePayment(parts, { caller, ...keyed(), paymentId: payment.id, amount: 300n });
    await after(rounds, 1_100);
    expect((await newest(payment)).captured).toBe(300n);
    expect(stage.processor.calls).toMatchObject({ authorize: 2, capture: 2, query: 0, reverse: 0 });
    expect([...stage.processor.books.values()].map(({ kind }) => kind)).toEqual(["authorize", "capture"]);
    await rounds.keep();
  });

  test("what its sender hears of its own try does not undo what a repetition has done", async () => {
    const { parts, rounds } = await recovering("repeat", { reversal: false });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    stage.processor.behave = async () => {
      await held;
      return { told: outcomes.notSent };
    };
    const command = createCommand();
    const running = createOrAuthorize(parts, command);
    await expect.poll(() => stage.processor.calls.authorize).toBe(1);
    await after(rounds, 500);
    // Recovery sends it again; it is carried out, and that answer is lost.
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    await after(rounds, 31_000);
    await after(rounds, 1_100);
    await after(rounds, 1_100);
    release();
    expect((await running).kind).not.toBe("done");
    const { caller } = command;
    const stored = await stage.parts.reader.key({ ...caller, key: command.idempotencyKey });
    const payment = { id: stored?.paymentId ?? "", merchantId: caller.merchantId };
    expect((await newest(payment)).status).not.toBe("declined");
    await after(rounds, 10_000);
    expect((await newest(payment)).status).toBe("authorized");
    expect([...stage.processor.books.values()].map(({ outcome }) => outcome)).toEqual([outcomes.approved]);
    await rounds.keep();
  });

  test("a repetition that was not sent decides nothing", async () => {
    const { parts, rounds } = await recovering("repeat", { reversal: false });
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: "nothing" });
    const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
    stage.processor.behave = () => ({ told: outcomes.notSent });
    await after(rounds, 1_100);
    expect((await newest(payment)).status).toBe("processing");
    await rounds.keep();
  });
});

describe("by reversing", () => {
  test("an unknown authorization is undone and answered as a decline; the next attempt may follow", async () => {
    const { parts, rounds } = await recovering("reverse", { reversal: true });
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    const command = createCommand();
    const payment = paymentOf(await createOrAuthorize(parts, command));
    stage.processor.answerReversal = () => outcomes.unknown;
    await after(rounds, 1_100);
    expect((await newest(payment)).status).toBe("processing");
    stage.processor.answerReversal = undefined;
    await after(rounds, 2_000);
    expect((await timelineOf(payment)).at(-1)).toMatchObject({ type: "authorization_reversed", details: { cause: "reversed" } });
    expect(codeOf(await createOrAuthorize(parts, command))).toBe("card_declined");
    stage.processor.reset();
    const { caller } = command;
    const again = await authorizeExisting(parts, {
      caller,
      ...keyed(),
      paymentId: payment.id,
      attempt: { token: "tok_visa_4242", customerIp: "" },
    });
    expect(paymentOf(again).status).toBe("authorized");
    await rounds.keep();
  });

  test("is never given up: a processor that says nothing for four days is told again on the fifth", async () => {
    const { parts, rounds } = await recovering("reverse", { reversal: true });
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
    stage.processor.answerReversal = () => outcomes.unknown;
    await after(rounds, 1_100);
    for (let day = 1; day <= 4; day++) await after(rounds, 24 * 60 * 60 * 1_000);
    expect((await newest(payment)).openOperations).toHaveLength(1);
    stage.processor.answerReversal = undefined;
    await after(rounds, 24 * 60 * 60 * 1_000);
    expect((await timelineOf(payment)).at(-1)).toMatchObject({ type: "authorization_reversed", details: { cause: "reversed" } });
    await rounds.keep();
  });
});

describe("by the settlement file", () => {
  test("nothing is asked; the merchant is told at once, with the time by which it will be decided", async () => {
    const { parts, rounds } = await recovering("file", { reversal: false });
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
    await after(rounds, 1_100);
    const shown = await newest(payment);
    expect(shown.status).toBe("ambiguous");
    expect(shown.resolvesByMs).toBeGreaterThan(Date.now());
    expect(stage.processor.calls).toMatchObject({ authorize: 1, query: 0, reverse: 0 });
    await rounds.keep();
  });
});

describe("an approval that comes after its operation was called failed", () => {
  /** An authorization whose answer is held back until recovery has called it failed; what happens then is up to `release`. */
  async function overtaken(parts: Parts, rounds: Rounds) {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    stage.processor.behave = async () => {
      await held;
      return { told: outcomes.approved };
    };
    const command = createCommand();
    const running = createOrAuthorize(parts, command);
    await expect.poll(() => stage.processor.calls.authorize).toBe(1);
    // Recovery notes a few times a second how far the log had come.
    await after(rounds, 500);
    await after(rounds, 31_000);
    await after(rounds, 1_100);
    const stored = await stage.parts.reader.key({ ...command.caller, key: command.idempotencyKey });
    const payment = { id: stored?.paymentId ?? "", merchantId: command.caller.merchantId };
    expect((await newest(payment)).status).toBe("declined");
    return { payment, command, running, release };
  }

  test("is undone: the answer stays no, and the timeline says so", async () => {
    const { parts, rounds } = await recovering("query", { reversal: false });
    const { payment, running, release } = await overtaken(parts, rounds);
    release();
    expect(codeOf(await running)).toBe("card_declined");
    const attemptId = (await newest(payment)).authorizationId;
    expect(stage.processor.reversed).toContain(attemptId);
    const timeline = await timelineOf(payment);
    expect(timeline.slice(-2)).toMatchObject([
      { type: "reversal_requested", operationId: reversalIdOf(attemptId), details: { of: attemptId, cause: "late_approval" } },
      { type: "reversal_succeeded", operationId: reversalIdOf(attemptId) },
    ]);
    expect(await newest(payment)).toMatchObject({ status: "declined", authorized: 0n, openOperations: [] });
    await rounds.keep();
  });

  test("is without effect where the processor knows no reversals and says no by now; as long as it says yes, the reversal stays open", async () => {
    const { parts, rounds } = await recovering("query", { reversal: false });
    const { payment, running, release } = await overtaken(parts, rounds);
    stage.processor.answerReversal = () => outcomes.unknown;
    release();
    await running;
    expect((await newest(payment)).openOperations).toMatchObject([{ kind: "reversal" }]);
    stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.declined });
    await after(rounds, 31_000);
    await after(rounds, 1_100);
    expect((await newest(payment)).openOperations).toEqual([]);
    expect((await typesOf(payment)).slice(-2)).toEqual(["reversal_requested", "reversal_succeeded"]);
    await rounds.keep();
  });

  test("is undone although the payment was authorized by another attempt since, which stays", async () => {
    const { parts, rounds } = await recovering("query", { reversal: false });
    const { payment, command, running, release } = await overtaken(parts, rounds);
    stage.processor.behave = () => ({ told: outcomes.approved });
    const { caller } = command;
    const attempt = { token: "tok_visa_4242", customerIp: "" };
    await authorizeExisting(parts, { caller, ...keyed(), paymentId: payment.id, attempt });
    release();
    expect(codeOf(await running)).toBe("card_declined");
    const after = await newest(payment);
    expect([after.status, after.openOperations, stage.processor.reversed.has(after.authorizationId)]).toEqual(["authorized", [], false]);
    expect(await typesOf(payment)).toEqual([
      "authorization_requested",
      "authorization_reversed",
      "authorization_requested",
      "payment_authorized",
      "reversal_requested",
      "reversal_succeeded",
    ]);
    expect(stage.processor.reversed.size).toBe(1);
    await rounds.keep();
  });

  test("is undone by recovery when the processor is away at first, also after a restart", async () => {
    const { parts, rounds } = await recovering("query", { reversal: false });
    const { payment, running, release } = await overtaken(parts, rounds);
    stage.processor.answerReversal = () => outcomes.unknown;
    release();
    await running;
    expect((await newest(payment)).openOperations).toMatchObject([{ kind: "reversal" }]);
    await rounds.keep();
    const restarted = await openRounds(parts);
    await after(restarted, 31_000);
    await after(restarted, 1_100);
    expect((await newest(payment)).openOperations).toHaveLength(1);
    await restarted.keep();
    stage.processor.answerReversal = undefined;
    await after(restarted, 10_000);
    expect(await newest(payment)).toMatchObject({ status: "declined", openOperations: [] });
    expect((await typesOf(payment)).at(-1)).toBe("reversal_succeeded");
    await restarted.keep();
  });

  test("that cannot be undone is written down for people", async () => {
    const { parts, rounds } = await recovering("query", { reversal: false });
    const { payment, running, release } = await overtaken(parts, rounds);
    stage.processor.answerReversal = () => outcomes.declined;
    release();
    await running;
    expect((await timelineOf(payment)).at(-1)).toMatchObject({ type: "reversal_failed", details: { reason: "insufficient_funds" } });
    await rounds.keep();
  });
});

describe("a sender that stood still after its intent", () => {
  test("does not send any more, and says so", async () => {
    const slow = {
      ...stage.parts,
      crashAt: (point: string) => {
        if (point === "after_intent_commit") stage.clock.aheadMs += 10_500;
      },
    };
    const answer = await createOrAuthorize(slow, createCommand());
    expect([codeOf(answer), stage.processor.calls.authorize]).toEqual(["processor_unavailable", 0]);
    expect((await timelineOf(paymentOf(answer))).at(-1)).toMatchObject({
      type: "authorization_not_sent",
      details: { cause: "sender_late" },
    });
  });
});

describe("the report of what is open", () => {
  test("names every open operation, oldest first, with its age and its money, and how long others took", async () => {
    const { parts, rounds } = await recovering("query", { reversal: true });
    const report = () =>
      reportOpen(
        {
          reader: parts.reader,
          tail: createLogTail(stage.sql),
          operations: createOpenOperations(stage.sql),
          checkpoints: createWorkerCheckpoints(stage.sql),
          now: parts.now,
        },
        { limit: 2 },
      );
    await rounds.keep();
    const before = await report();
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.unknown });
    const old = paymentOf(await createOrAuthorize(parts, createCommand({ amount: 700n, currency: "EUR" })));
    await after(rounds, 6 * 60_000);
    const young = [
      paymentOf(await createOrAuthorize(parts, createCommand({ amount: 900n, currency: "JPY" }))),
      paymentOf(await createOrAuthorize(parts, createCommand({ amount: 300n, currency: "EUR" }))),
    ];
    await rounds.next();
    await rounds.keep();
    const now = await report();
    expect(now.count - before.count).toBe(3);
    expect(now.isComplete).toBe(true);
    expect((now.moneyAtRisk.get("EUR") ?? 0n) - (before.moneyAtRisk.get("EUR") ?? 0n)).toBe(1_000n);
    expect((now.moneyAtRisk.get("JPY") ?? 0n) - (before.moneyAtRisk.get("JPY") ?? 0n)).toBe(900n);
    expect([now.ages.get("1h"), now.ages.get("30s")]).toEqual([(before.ages.get("1h") ?? 0) + 1, (before.ages.get("30s") ?? 0) + 2]);
    expect(now.oldest.map(({ payment }) => payment.id)).toEqual([old.id, young[0]?.id]);
    stage.processor.answerQuery = undefined;
    await after(rounds, 20 * 60_000);
    const later = await report();
    expect(later.count).toBe(before.count);
    expect(later.resolution.count - now.resolution.count).toBe(3);
    expect(later.resolution.maxMs).toBeGreaterThanOrEqual(26 * 60_000);
  });
});
