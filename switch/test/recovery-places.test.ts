/** Recovery beside a processor that hangs, and where it may not ask: the others go on, and nobody is called ambiguous for want of a question. */
import { required } from "@florin/kernel";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createOrAuthorize } from "../src/app/authorize-payment.ts";
import type { Parts } from "../src/app/parts.ts";
import { usualLimits } from "../src/domain/limits/index.ts";
import type { Payment } from "../src/domain/payment/index.ts";
import { defaultSettings } from "../src/domain/settings/index.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createOpenOperations } from "../src/store/open-operations.ts";
import { createWorkerCheckpoints } from "../src/store/worker-checkpoints.ts";
import { type Rounds, startRounds } from "../src/workers/follow-up-operations.ts";
import { outcomes, type WireOutcome } from "./processor-double.ts";
import { createCommand, generousLimits, logger, openStage, paymentOf, type Stage } from "./stage.ts";

/** Says nothing of the processor, so no circuit opens while many are made. */
const unclear: WireOutcome = { kind: outcomes.unknown.kind, cause: "in_progress" };
let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ withRedis: false });
  stage.processor.abilities = { unknownStrategy: "query", reversal: true };
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.processor.reset();
  stage.clock.aheadMs = 0;
});

type Query = Parts["connectors"]["query"];

/** A replica whose questions are asked by `query`, and its recovery. */
async function recovering(query: (real: Query) => Query): Promise<{ parts: Parts; rounds: Rounds }> {
  const parts = await stage.replica();
  const asking: Parts = { ...parts, connectors: { ...parts.connectors, query: query(parts.connectors.query) } };
  const { sql } = stage;
  const rounds = await startRounds({
    ...{
      parts: asking,
      tail: createLogTail(sql),
      operations: createOpenOperations(sql),
      checkpoints: createWorkerCheckpoints(sql),
      logger,
    },
  });
  await rounds.next();
  return { parts, rounds };
}

/** Authorizations that `processor` has booked and not answered. */
async function makeUnknown(parts: Parts, processor: string, count: number): Promise<readonly Payment[]> {
  stage.house.settings = defaultSettings({ processors: [processor], velocity: generousLimits, ...usualLimits });
  stage.processor.behave = () => ({ told: unclear, booked: outcomes.approved });
  return await Promise.all(Array.from({ length: count }, async () => paymentOf(await createOrAuthorize(parts, createCommand()))));
}

const statusOf = async ({ id, merchantId }: Payment) => required(await stage.parts.reader.newest({ id, merchantId }), "a payment").status;

test("a processor that answers no question holds up none of another's, however many of its operations are open", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let hanging = 0;
  const { parts, rounds } = await recovering((real) => async (question) => {
    if (question.connector !== "simpay") return real(question);
    hanging += 1;
    await held;
    return { found: true, outcome: { kind: "unknown", cause: "timeout" } };
  });
  const first = await makeUnknown(parts, "simpay", 600);
  await rounds.next();
  const [later] = await makeUnknown(parts, "other", 1);
  await rounds.next();
  stage.clock.aheadMs += 1_100;
  const startedAtMs = performance.now();
  await rounds.next();
  // Those of the processor that hangs were looked at, and have their places; the rest is passed over from now on.
  stage.clock.aheadMs += 2_100;
  await rounds.next();
  expect(await statusOf(required(later, "a payment"))).toBe("authorized");
  expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  expect(hanging).toBe(128);
  release();
  await rounds.end();
  expect(await statusOf(required(first[0], "a payment"))).toBe("processing");
}, 60_000);

test("a question that the retry budget refused was not asked: it brings nobody nearer to an ambiguous payment", async () => {
  let isRefused = true;
  const { parts, rounds } = await recovering((real) => async (question) => {
    if (isRefused) return { found: true, outcome: { kind: "unknown", cause: "retry_budget" } };
    return real(question);
  });
  const [payment] = await makeUnknown(parts, "third", 1);
  await rounds.next();
  for (let round = 0; round < 8; round++) {
    stage.clock.aheadMs += 31_000;
    await rounds.next();
    expect(await statusOf(required(payment, "a payment"))).toBe("processing");
  }
  isRefused = false;
  stage.clock.aheadMs += 31_000;
  // Those of the test before are in the log, too.
  for (let round = 0; round < 3; round++) await rounds.next();
  expect(await statusOf(required(payment, "a payment"))).toBe("authorized");
  await rounds.end();
});
