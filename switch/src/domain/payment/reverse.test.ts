import { assert } from "@florin/kernel";
import { expect, test } from "vitest";
import { recordAuthorization, recordReversal, requestAuthorization } from "./authorize.ts";
import { createPayment } from "./create.ts";
import type { Payment } from "./payment.ts";
import { recordReversed, requestReversal } from "./reverse.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleNowMs, sampleOrigin, sampleOutcomes } from "./samples.ts";
import type { Decision, Recording } from "./transition.ts";

const context = { nowMs: sampleNowMs, origin: sampleOrigin };
const command = { reversalId: "rev_1", originalId: "att_1", amount: 10_000n, connector: "simpay", cause: "late_approval" };

function appended(answer: Decision | Recording): Payment {
  assert(answer.kind === "append", "appended");
  return answer.transition.payment;
}

const requested = (payment: Payment, attemptId: string) => appended(requestAuthorization(payment, sampleAttempt(attemptId), context));
const failed = () =>
  appended(
    recordReversal(requested(createPayment(sampleCreate(), context).payment, "att_1"), { attemptId: "att_1", cause: "not_found" }, context),
  );
const approved = (payment: Payment, attemptId: string) =>
  appended(
    recordAuthorization(
      payment,
      { attemptId, outcome: sampleOutcomes.approved },
      { ...context, authorizationLifetimeMs: sampleLifetimeMs },
    ),
  );

test("the payment stays as it was, whatever it has become since", () => {
  const again = approved(requested(failed(), "att_2"), "att_2");
  const reversing = appended(requestReversal(again, command, context));
  expect(reversing).toMatchObject({ status: "authorized", authorized: 10_000n, openOperations: [{ id: "rev_1", kind: "reversal" }] });
  const done = appended(recordReversed(reversing, { reversalId: "rev_1", outcome: sampleOutcomes.approved }, context));
  expect({ ...done, version: again.version }).toEqual(again);
});

test("what nobody knows decides nothing: it is repeated", () => {
  const reversing = appended(requestReversal(failed(), command, context));
  for (const outcome of [sampleOutcomes.unknown, sampleOutcomes.notSent])
    expect(recordReversed(reversing, { reversalId: "rev_1", outcome }, context).kind).toBe("ignored");
});

test("a refusal ends it and is its own event", () => {
  const reversing = appended(requestReversal(failed(), command, context));
  const recording = recordReversed(reversing, { reversalId: "rev_1", outcome: sampleOutcomes.declined }, context);
  assert(recording.kind === "append", "appended");
  expect(recording.transition).toMatchObject({ event: { type: "reversal_failed" }, payment: { status: "declined", openOperations: [] } });
});

test.each([
  ["an operation that is open", (payment: Payment) => requested(payment, "att_2"), { ...command, originalId: "att_2" }],
  [
    "the attempt that the payment stands on",
    (payment: Payment) => approved(requested(payment, "att_2"), "att_2"),
    { ...command, originalId: "att_2" },
  ],
  ["a reversal that is under way", (payment: Payment) => appended(requestReversal(payment, command, context)), command],
])("%s is not reversed", (_, become, wanted) => {
  expect(requestReversal(become(failed()), wanted, context).kind).toBe("ignored");
});

test("an answer that comes twice changes nothing the second time", () => {
  const answer = { reversalId: "rev_1", outcome: sampleOutcomes.approved };
  const done = appended(recordReversed(appended(requestReversal(failed(), command, context)), answer, context));
  expect(recordReversed(done, answer, context).kind).toBe("ignored");
});
