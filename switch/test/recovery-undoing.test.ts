/** An operation that recovery undoes is not believed to be done, however its sender's yes and the undoing cross. */
import { required } from "@florin/kernel";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createOrAuthorize } from "../src/app/authorize-payment.ts";
import { capturePayment } from "../src/app/move-money.ts";
import { reportOpen } from "../src/app/open-report.ts";
import type { Parts } from "../src/app/parts.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createOpenOperations } from "../src/store/open-operations.ts";
import { createWorkerCheckpoints } from "../src/store/worker-checkpoints.ts";
import { type Rounds, startRounds } from "../src/workers/follow-up-operations.ts";
import { outcomes, type Strategy } from "./processor-double.ts";
import { authorized, createCommand, keyed, logger, openStage, paymentOf, type Stage } from "./stage.ts";

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

const stores = ({ sql }: Stage) => ({
  tail: createLogTail(sql),
  operations: createOpenOperations(sql),
  checkpoints: createWorkerCheckpoints(sql),
});

async function recovering(unknownStrategy: Strategy): Promise<{ parts: Parts; rounds: Rounds }> {
  stage.processor.abilities = { unknownStrategy, reversal: true };
  const parts = await stage.replica();
  const rounds = await startRounds({ parts, ...stores(stage), logger });
  await rounds.next();
  return { parts, rounds };
}

async function pass(rounds: Rounds, ...pausesMs: readonly number[]): Promise<void> {
  for (const ms of pausesMs) {
    await rounds.next();
    stage.clock.aheadMs += ms;
    await rounds.next();
  }
  await rounds.keep();
}

function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: () => resolve(), opened: promise };
}

/** What comes between the processor's undoing and our hearing of it, or before the processor is told. */
function betweenUndoing(
  { connectors }: Parts,
  o: { readonly before?: () => Promise<unknown>; readonly after?: () => Promise<unknown> },
): void {
  const { reverse } = connectors;
  Object.assign(connectors, {
    reverse: async (...words: Parameters<typeof reverse>) => {
      await o.before?.();
      const outcome = await reverse(...words);
      await o.after?.();
      return outcome;
    },
  });
}

const typesOf = async ({ id, merchantId }: { readonly id: string; readonly merchantId: string }) =>
  (await stage.parts.reader.timeline({ id, merchantId }, { afterSequence: 0, limit: 100 })).map(({ event }) => event.type);

test("a sender that stood still with an approval in its hands writes it while recovery's reversal is on its way", async () => {
  const { parts, rounds } = await recovering("reverse");
  const canWrite = gate();
  const sender = await stage.replica();
  const { authorize } = sender.connectors;
  Object.assign(sender.connectors, {
    authorize: async (...words: Parameters<typeof authorize>) => {
      const outcome = await authorize(...words);
      await canWrite.opened;
      return outcome;
    },
  });
  const running = createOrAuthorize(sender, createCommand());
  await expect.poll(() => stage.processor.books.size).toBe(1);
  betweenUndoing(parts, {
    after: async () => {
      canWrite.open();
      await running;
    },
  });
  await pass(rounds, 500, 31_000, 1_100, 2_000);
  const answer = await running;
  expect(answer.kind).toBe("in_flight");
  const payment = paymentOf(answer);
  expect(await typesOf(payment)).toEqual(["authorization_requested", "authorization_unknown", "authorization_reversed"]);
  expect([...stage.processor.reversed]).toEqual([payment.authorizationId]);
});

test("the merchant's own repetition undoes an approval that its sender cannot write down yet", async () => {
  stage.processor.abilities = { unknownStrategy: "reverse", reversal: true };
  const [sender, other] = [await stage.replica(), await stage.replica()];
  const canWrite = gate();
  const append: Parts["log"]["append"] = async (...words) => {
    if (words[1] === undefined) await canWrite.opened;
    return sender.log.append(...words);
  };
  const command = createCommand({ captureMode: "automatic" });
  const running = createOrAuthorize({ ...sender, log: { ...sender.log, append } }, command);
  await expect.poll(() => stage.processor.books.size).toBe(1);
  // Known for long to the one that is asked: the first time it only takes note.
  stage.clock.aheadMs = 31_000;
  expect((await createOrAuthorize(other, command)).kind).toBe("in_flight");
  expect(stage.processor.calls.reverse).toBe(0);
  stage.clock.aheadMs += 31_000;
  betweenUndoing(other, {
    after: async () => {
      canWrite.open();
      await running;
    },
  });
  const again = await createOrAuthorize(other, command);
  expect((await running).kind).toBe("in_flight");
  expect([again.kind, paymentOf(again).status, paymentOf(again).captured]).toEqual(["replayed", "declined", 0n]);
  expect((await createOrAuthorize(sender, command)).kind).toBe("replayed");
});

test("a replica whose wall clock is ahead does not undo an authorization that is under way", async () => {
  stage.processor.abilities = { unknownStrategy: "reverse", reversal: true };
  const [sender, other] = [await stage.replica(), await stage.replica()];
  const hold = gate();
  stage.processor.behave = async () => {
    await hold.opened;
    return { told: outcomes.approved };
  };
  const command = createCommand();
  const running = createOrAuthorize(sender, command);
  await expect.poll(() => stage.processor.calls.authorize).toBe(1);
  stage.clock.wallAheadMs = 31_000;
  expect((await createOrAuthorize(other, command)).kind).toBe("in_flight");
  expect(stage.processor.calls.reverse).toBe(0);
  hold.open();
  expect(paymentOf(await running).status).toBe("authorized");
});

test("the report says how long it took until what was unknown was undone, and not until that began", async () => {
  const { parts, rounds } = await recovering("reverse");
  stage.processor.behave = () => ({ told: outcomes.unknown });
  const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
  await pass(rounds, 1_100, 2_100);
  const events = (await parts.reader.timeline(payment, { afterSequence: 0, limit: 100 })).map(({ event }) => event);
  expect(events.map(({ type }) => type)).toEqual([
    "authorization_requested",
    "authorization_unknown",
    "authorization_unknown",
    "authorization_reversed",
  ]);
  const took = required(events[3], "the reversal").occurredAtMs - required(events[0], "the intent").occurredAtMs;
  expect(took).toBeGreaterThan(1_000);
  expect(await createOpenOperations(stage.sql).latestResolutions(2)).toEqual([took, took]);
});

test("a capture that arrives between recovery's question and its undoing is undone and not taken", async () => {
  const { parts, rounds } = await recovering("query");
  const { payment, caller } = await authorized(parts);
  const hold = gate();
  stage.processor.behave = async () => {
    await hold.opened;
    return { told: outcomes.approved };
  };
  const sender = await stage.replica();
  const running = capturePayment(sender, { caller, ...keyed(), paymentId: payment.id, amount: undefined });
  await expect.poll(() => stage.processor.calls.capture).toBe(1);
  betweenUndoing(parts, {
    before: async () => {
      hold.open();
      await running;
    },
  });
  await pass(rounds, 500, 31_000, 1_100, 2_000);
  const now = required(await stage.parts.reader.newest(payment), "a payment of this test");
  expect([now.status, now.captured, now.captures[0]?.status]).toEqual(["authorized", 0n, "failed"]);
  expect([...stage.processor.reversed]).toEqual([now.captures[0]?.id]);
});

test("a processor that refuses to undo what it approved meanwhile is believed", async () => {
  const { rounds } = await recovering("query");
  stage.processor.behave = () => new Promise(() => {});
  const command = createCommand();
  void createOrAuthorize(await stage.replica(), command).catch(() => {});
  await expect.poll(() => stage.processor.calls.authorize).toBe(1);
  stage.processor.answerReversal = () => {
    stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.approved });
    return outcomes.declined;
  };
  await pass(rounds, 500, 31_000, 1_100, 2_000);
  expect(paymentOf(await createOrAuthorize(stage.parts, command)).status).toBe("authorized");
});

test("what nobody answers for, not even to its undoing, is in the report and asked about until somebody does", async () => {
  const { parts, rounds } = await recovering("query");
  stage.processor.behave = () => new Promise(() => {});
  const command = createCommand();
  void createOrAuthorize(await stage.replica(), command).catch(() => {});
  await expect.poll(() => stage.processor.calls.authorize).toBe(1);
  stage.processor.answerReversal = () => outcomes.unknown;
  await pass(rounds, 500, 31_000, 1_100, 2_100, 4_100, 8_100, 16_100, 32_100, 64_100);
  const stored = required(await stage.parts.reader.key({ ...command.caller, key: command.idempotencyKey }), "its key");
  const which = { id: stored.paymentId, merchantId: command.caller.merchantId };
  expect(required(await parts.reader.newest(which), "it").status).toBe("ambiguous");
  const report = await reportOpen({ reader: parts.reader, now: parts.now, ...stores(stage) }, { limit: 100 });
  expect(report.oldest.map(({ payment }) => payment.id)).toContain(which.id);
  stage.processor.answerReversal = undefined;
  const restarted = await startRounds({ parts, ...stores(stage), logger });
  await pass(restarted, 1_100, 3_600_000);
  expect(required(await parts.reader.newest(which), "it").status).toBe("declined");
});
