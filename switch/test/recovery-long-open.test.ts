/** What stays open for days is asked about until somebody knows, and stays where operators look for it. */
import { required } from "@florin/kernel";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createOrAuthorize } from "../src/app/authorize-payment.ts";
import { capturePayment, refundPayment } from "../src/app/move-money.ts";
import { reportOpen } from "../src/app/open-report.ts";
import type { Parts } from "../src/app/parts.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createOpenOperations } from "../src/store/open-operations.ts";
import { createWorkerCheckpoints } from "../src/store/worker-checkpoints.ts";
import { type Rounds, startRounds } from "../src/workers/follow-up-operations.ts";
import { outcomes } from "./processor-double.ts";
import { authorized, createCommand, keyed, logger, openStage, paymentOf, type Stage } from "./stage.ts";

const secondMs = 1_000;
const hourMs = 60 * 60 * secondMs;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ withRedis: false });
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.processor.reset();
  stage.clock.aheadMs = 0;
});

const stores = ({ sql }: Stage) => ({
  tail: createLogTail(sql),
  operations: createOpenOperations(sql),
  checkpoints: createWorkerCheckpoints(sql),
});
const recovering = async (): Promise<{ parts: Parts; rounds: Rounds }> => {
  stage.processor.abilities = { unknownStrategy: "query", reversal: true };
  const parts = await stage.replica();
  const rounds = await startRounds({ parts, ...stores(stage), logger });
  await rounds.next();
  return { parts, rounds };
};
async function pass(rounds: Rounds, ...pausesMs: readonly number[]): Promise<void> {
  for (const ms of pausesMs) {
    await rounds.next();
    stage.clock.aheadMs += ms;
    await rounds.next();
  }
  await rounds.keep();
}
const quickQuestions = [1, 2, 4, 8, 16, 32].map((seconds) => (seconds + 0.1) * secondMs);
const days = (count: number): number[] => Array.from({ length: count }, () => 24 * hourMs);
const reportedIds = async ({ reader, now }: Parts): Promise<readonly string[]> =>
  (await reportOpen({ reader, now, ...stores(stage) }, { limit: 1_000 })).oldest.map(({ payment }) => payment.id);
const newest = async ({ id, merchantId }: { readonly id: string; readonly merchantId: string }) =>
  required(await stage.parts.reader.newest({ id, merchantId }), "a payment of this test");

test("an ambiguous payment stays in the report after its time, also after a restart, and is decided when its processor finds its voice", async () => {
  const { parts, rounds } = await recovering();
  stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
  stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.unknown });
  const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
  await pass(rounds, ...quickQuestions, ...days(9));
  expect((await newest(payment)).status).toBe("ambiguous");
  expect(await reportedIds(parts)).toContain(payment.id);
  const restarted = await startRounds({ parts, ...stores(stage), logger });
  await pass(restarted, ...quickQuestions);
  expect(await reportedIds(parts)).toContain(payment.id);
  const asked = stage.processor.calls.query;
  await pass(restarted, hourMs, hourMs);
  expect(stage.processor.calls.query).toBe(asked + 2);
  stage.processor.answerQuery = undefined;
  await pass(restarted, hourMs);
  expect((await newest(payment)).status).toBe("authorized");
  expect(await reportedIds(parts)).not.toContain(payment.id);
});

test("a refund that was accepted is followed for as many days as its processor takes, by one question at a time", async () => {
  const { parts, rounds } = await recovering();
  const { payment, caller } = await authorized(parts);
  await capturePayment(parts, { caller, ...keyed(), paymentId: payment.id, amount: undefined });
  stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.accepted });
  await refundPayment(parts, { caller, ...keyed(), paymentId: payment.id, amount: 300n, reason: "returned" });
  await pass(rounds, ...quickQuestions);
  expect((await newest(payment)).refunds).toMatchObject([{ status: "processing" }]);
  await pass(rounds, ...days(9));
  expect(await reportedIds(parts)).toContain(payment.id);
  const asked = stage.processor.calls.query;
  await pass(rounds, hourMs, hourMs);
  expect(stage.processor.calls.query).toBe(asked + 2);
  for (const [reference, booked] of stage.processor.books)
    if (booked.outcome === outcomes.accepted) stage.processor.books.set(reference, { ...booked, outcome: outcomes.approved });
  await pass(rounds, hourMs);
  expect((await newest(payment)).refunds).toMatchObject([{ status: "succeeded" }]);
});

test("an authorization is called ambiguous at a later question where the database was away at the fifth", async () => {
  const { parts, rounds } = await recovering();
  stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
  stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.unknown });
  const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
  const { append } = parts.log;
  Object.assign(parts.log, { append: () => Promise.reject(new Error("the database is away")) });
  await pass(rounds, ...quickQuestions.slice(0, 5)).catch(() => {});
  Object.assign(parts.log, { append });
  expect((await newest(payment)).status).toBe("processing");
  await pass(rounds, ...quickQuestions, 2 * hourMs).catch(() => {});
  expect((await newest(payment)).status).toBe("ambiguous");
});
