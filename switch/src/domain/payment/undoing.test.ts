/** What is being undone: only a processor that refuses to undo it makes a yes of it again. */
import { assert, required } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { recordAuthorization, requestAuthorization } from "./authorize.ts";
import { recordCapture, requestCapture } from "./capture.ts";
import { createPayment } from "./create.ts";
import { beingUndone, findOpen } from "./operation.ts";
import type { Outcome } from "./outcome.ts";
import type { Payment } from "./payment.ts";
import { recordRefund, requestRefund } from "./refund.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleNowMs, sampleOrigin, sampleOutcomes } from "./samples.ts";
import type { Decision, Recording } from "./transition.ts";
import { recordVoid, requestVoid } from "./void.ts";

const context = { nowMs: sampleNowMs, origin: sampleOrigin };
type Record = (payment: Payment, outcome: Outcome, isKept?: boolean) => Recording;

function appended(answer: Decision | Recording): Payment {
  assert(answer.kind === "append", "appended");
  return answer.transition.payment;
}

const authorizing = () => appended(requestAuthorization(createPayment(sampleCreate(), context).payment, sampleAttempt("att_1"), context));
const authorize: Record = (payment, outcome, isKept) =>
  recordAuthorization(payment, { attemptId: "att_1", outcome, isKept }, { ...context, authorizationLifetimeMs: sampleLifetimeMs });
const held = () => appended(authorize(authorizing(), sampleOutcomes.approved));
const capturing = () => appended(requestCapture(held(), { captureId: "cap_1", amount: 300n }, context));
const capture: Record = (payment, outcome, isKept) => recordCapture(payment, { captureId: "cap_1", outcome, isKept }, context);
const refunding = () =>
  appended(
    requestRefund(appended(capture(capturing(), sampleOutcomes.approved)), { refundId: "ref_1", amount: 100n, reason: "" }, context),
  );

const operations: readonly (readonly [string, string, () => Payment, Record])[] = [
  ["an authorization", "att_1", authorizing, authorize],
  ["a capture", "cap_1", capturing, capture],
  ["a void", "voi_1", () => appended(requestVoid(held(), { voidId: "voi_1" }, context)), voidIt],
  ["a refund", "ref_1", refunding, refund],
];

function voidIt(payment: Payment, outcome: Outcome, isKept?: boolean): Recording {
  return recordVoid(payment, { voidId: "voi_1", outcome, isKept }, context);
}

function refund(payment: Payment, outcome: Outcome, isKept?: boolean): Recording {
  return recordRefund(payment, { refundId: "ref_1", outcome, isKept }, context);
}

describe.each(operations)("%s", (_name, id, open, record) => {
  const undoing: Outcome = { kind: "unknown", cause: beingUndone };

  test.each([
    ["under way", open],
    ["unknown already", () => appended(record(open(), sampleOutcomes.unknown))],
  ])("%s: a late yes is not believed, one that the processor does not undo is", (_before, begin) => {
    const payment = appended(record(begin(), undoing));
    expect(required(findOpen(payment, id), "open")).toMatchObject({ isUnknown: true, isBeingUndone: true });
    expect(record(payment, undoing).kind).toBe("ignored");
    expect(record(payment, sampleOutcomes.unknown).kind).toBe("ignored");
    expect(record(payment, sampleOutcomes.notSent).kind).toBe("ignored");
    expect(record(payment, sampleOutcomes.approved).kind).toBe("ignored");
    expect(findOpen(appended(record(payment, sampleOutcomes.approved, true)), id)).toBeUndefined();
    expect(findOpen(appended(record(payment, sampleOutcomes.declined)), id)).toBeUndefined();
  });
});
