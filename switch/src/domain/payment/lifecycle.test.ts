import { expect, test } from "vitest";
import {
  giveUpQuerying,
  mayReroute,
  recordAuthorization,
  recordReversal,
  requestAuthorization,
  rerouteAuthorization,
} from "./authorize.ts";
import { recordCapture, requestCapture } from "./capture.ts";
import { createPayment, draft } from "./create.ts";
import { expireAuthorization } from "./expire.ts";
import type { Outcome } from "./outcome.ts";
import { intentLifetimeMs, type Payment, refundable, remaining } from "./payment.ts";
import { recordRefund, requestRefund } from "./refund.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleNowMs, sampleOrigin, sampleOutcomes } from "./samples.ts";
import type { Decision, Recording, Transition } from "./transition.ts";
import { recordVoid, requestVoid } from "./void.ts";

const context = { nowMs: sampleNowMs, origin: sampleOrigin };
const attemptContext = { ...context };
const outcomeContext = { ...context, authorizationLifetimeMs: sampleLifetimeMs };

function appended(answer: Decision | Recording): Transition {
  if (answer.kind !== "append") throw new Error(`expected a row, got ${JSON.stringify(answer)}`);
  return answer.transition;
}

function refusedCode(answer: Decision): string {
  if (answer.kind !== "refused") throw new Error("expected a refusal");
  return answer.refusal.code;
}

function requested(changes = {}): Payment {
  return appended(requestAuthorization(draft(sampleCreate(changes), sampleNowMs), sampleAttempt(), attemptContext)).payment;
}

function answered(outcome: Outcome, changes = {}): Transition {
  return appended(recordAuthorization(requested(changes), { attemptId: "att_1", outcome }, outcomeContext));
}

const authorized = () => answered(sampleOutcomes.approved).payment;

function captured(payment: Payment, captureId: string, amount: bigint | undefined, outcome: Outcome = sampleOutcomes.approved): Payment {
  const intent = appended(requestCapture(payment, { captureId, amount }, context)).payment;
  return appended(recordCapture(intent, { captureId, outcome }, context)).payment;
}

function refunded(payment: Payment, refundId: string, amount: bigint | undefined, outcome: Outcome = sampleOutcomes.accepted): Payment {
  const intent = appended(requestRefund(payment, { refundId, amount, reason: "returned" }, context)).payment;
  return appended(recordRefund(intent, { refundId, outcome }, context)).payment;
}

test("creating and authorizing in one call makes the intent the first row", () => {
  const { payment, event } = appended(requestAuthorization(draft(sampleCreate(), sampleNowMs), sampleAttempt(), attemptContext));
  expect(event).toMatchObject({ type: "authorization_requested", sequence: 1, before: undefined, operationId: "att_1", amount: 10_000n });
  expect(payment).toMatchObject({ status: "processing", version: 1, attempts: 1, authorizationId: "att_1" });
  expect(payment.openOperations).toHaveLength(1);
});

test("an approval holds the whole amount until the connector's hold time has passed", () => {
  const { payment, event } = answered(sampleOutcomes.approved);
  expect(payment).toMatchObject({
    status: "authorized",
    authorized: 10_000n,
    captured: 0n,
    authorizationExpiresAtMs: sampleNowMs + sampleLifetimeMs,
  });
  expect(event).toMatchObject({ type: "payment_authorized", sequence: 2, before: { status: "processing" } });
  expect(remaining(payment)).toBe(10_000n);
  expect(payment.openOperations).toEqual([]);
});

test("automatic capture takes the money with the approval", () => {
  const { payment, event } = answered(sampleOutcomes.approved, { captureMode: "automatic" });
  expect(payment).toMatchObject({ status: "captured", authorized: 10_000n, captured: 10_000n });
  expect(event.type).toBe("payment_authorized_and_captured");
  expect(refusedCode(requestCapture(payment, { captureId: "cap_1", amount: 1n }, context))).toBe("payment_state_invalid");
});

test("a decline keeps its reason and says whether another try may help", () => {
  const { payment, event } = answered(sampleOutcomes.declined);
  expect(payment).toMatchObject({
    status: "declined",
    authorized: 0n,
    decline: { reason: "insufficient_funds", declineCode: "retry_allowed" },
  });
  expect(event.refusal).toMatchObject({ code: "card_declined", declineCode: "retry_allowed" });
});

test("a declined payment may be tried again under a new attempt", () => {
  const { payment } = answered(sampleOutcomes.declined);
  const again = appended(requestAuthorization(payment, sampleAttempt("att_2"), attemptContext)).payment;
  const approved = appended(recordAuthorization(again, { attemptId: "att_2", outcome: sampleOutcomes.approved }, outcomeContext)).payment;
  expect(approved).toMatchObject({ status: "authorized", attempts: 2, decline: undefined, authorizationId: "att_2" });
});

test("a payment older than a day takes no further attempt", () => {
  const { payment } = answered(sampleOutcomes.declined);
  const late = { ...attemptContext, nowMs: sampleNowMs + intentLifetimeMs + 1 };
  expect(refusedCode(requestAuthorization(payment, sampleAttempt("att_2"), late))).toBe("payment_state_invalid");
});

test("an unknown answer is a state, not a failure: nothing else can start and the promise is stated", () => {
  const { payment } = answered(sampleOutcomes.unknown);
  expect(payment.status).toBe("processing");
  expect(payment.resolvesByMs).toBeGreaterThan(sampleNowMs);
  expect(refusedCode(requestAuthorization(payment, sampleAttempt("att_2"), attemptContext))).toBe("payment_busy");
});

test("an unknown attempt can still turn out approved, also after it was called ambiguous", () => {
  const { payment } = answered(sampleOutcomes.unknown);
  const ambiguous = appended(giveUpQuerying(payment, "att_1", context)).payment;
  expect(ambiguous.status).toBe("ambiguous");
  const approved = appended(
    recordAuthorization(ambiguous, { attemptId: "att_1", outcome: sampleOutcomes.approved }, outcomeContext),
  ).payment;
  expect(approved).toMatchObject({ status: "authorized", resolvesByMs: 0 });
});

test("a late approval after a reversal keeps the payment reversed", () => {
  const { payment } = answered(sampleOutcomes.unknown);
  const reversed = appended(recordReversal(payment, { attemptId: "att_1", cause: "not_found" }, context)).payment;
  expect(reversed.status).toBe("declined");
  expect(recordAuthorization(reversed, { attemptId: "att_1", outcome: sampleOutcomes.approved }, outcomeContext).kind).toBe("ignored");
});

test("a fault while asking about an unknown attempt does not make it unsent", () => {
  const { payment } = answered(sampleOutcomes.unknown);
  expect(recordAuthorization(payment, { attemptId: "att_1", outcome: sampleOutcomes.notSent }, outcomeContext).kind).toBe("ignored");
});

test("captures in parts add up, and no part exceeds what remains", () => {
  const first = captured(authorized(), "cap_1", 4_000n);
  expect(first).toMatchObject({ status: "partially_captured", captured: 4_000n });
  expect(refusedCode(requestCapture(first, { captureId: "cap_2", amount: 6_001n }, context))).toBe("amount_too_large");
  const second = captured(first, "cap_2", undefined);
  expect(second).toMatchObject({ status: "captured", captured: 10_000n });
  expect(refusedCode(requestCapture(second, { captureId: "cap_3", amount: 1n }, context))).toBe("payment_state_invalid");
});

test("a capture under way reserves its amount", () => {
  const intent = appended(requestCapture(authorized(), { captureId: "cap_1", amount: 7_000n }, context)).payment;
  expect(refusedCode(requestCapture(intent, { captureId: "cap_2", amount: 3_001n }, context))).toBe("amount_too_large");
  expect(refusedCode(requestVoid(intent, { voidId: "voi_1" }, context))).toBe("payment_busy");
});

test("a refused capture leaves the hold as it was", () => {
  const payment = captured(authorized(), "cap_1", 4_000n, sampleOutcomes.declined);
  expect(payment).toMatchObject({ status: "authorized", captured: 0n, capturePending: 0n });
  expect(payment.captures[0]?.status).toBe("failed");
});

test("a void releases the hold; after a partial capture it releases the rest", () => {
  const voided = (payment: Payment) => {
    const intent = appended(requestVoid(payment, { voidId: "voi_1" }, context)).payment;
    return appended(recordVoid(intent, { voidId: "voi_1", outcome: sampleOutcomes.approved }, context)).payment;
  };
  expect(voided(authorized())).toMatchObject({ status: "voided", released: 10_000n });
  expect(voided(captured(authorized(), "cap_1", 4_000n))).toMatchObject({ status: "captured", captured: 4_000n, released: 6_000n });
});

test("a refund counts when the processor accepts it and gives back when it fails later", () => {
  const processing = refunded(captured(authorized(), "cap_1", undefined), "ref_1", undefined);
  expect(processing).toMatchObject({ status: "refunded", refunded: 10_000n });
  expect(processing.refunds[0]?.status).toBe("processing");
  const failed = appended(recordRefund(processing, { refundId: "ref_1", outcome: sampleOutcomes.declined }, context)).payment;
  expect(failed).toMatchObject({ status: "captured", refunded: 0n });
  expect(refundable(failed)).toBe(10_000n);
});

test("a refund without amount gives back all that is left", () => {
  const payment = refunded(captured(authorized(), "cap_1", undefined), "ref_1", 2_500n);
  expect(payment.status).toBe("partially_refunded");
  expect(refunded(payment, "ref_2", undefined)).toMatchObject({ status: "refunded", refunded: 10_000n });
});

test("a hold that ran out is released, but not while a capture is under way", () => {
  const after = { ...context, nowMs: sampleNowMs + sampleLifetimeMs };
  expect(expireAuthorization(authorized(), context).kind).toBe("ignored");
  expect(appended(expireAuthorization(authorized(), after)).payment).toMatchObject({ status: "expired", released: 10_000n });
  const busy = appended(requestCapture(authorized(), { captureId: "cap_1", amount: 1n }, context)).payment;
  expect(expireAuthorization(busy, after).kind).toBe("ignored");
});

test("creating without a payment method leaves the payment waiting for its first attempt", () => {
  const { payment, event } = createPayment(sampleCreate(), attemptContext);
  expect(payment).toMatchObject({ status: "created", version: 1, attempts: 0 });
  expect(event.type).toBe("payment_created");
});

test("an attempt that ended without the money is followed by another in one step, and nobody sees a decline in between", () => {
  const before = requested();
  const rerouting = { attemptId: "att_1", outcome: sampleOutcomes.declined, next: { attemptId: "att_2", connector: "other" } };
  const { payment, event } = rerouteAuthorization(before, rerouting, attemptContext);
  expect(payment).toMatchObject({ status: "processing", attempts: 2, authorizationId: "att_2", decline: undefined, resolvesByMs: 0 });
  expect(payment.openOperations).toMatchObject([
    { id: "att_2", kind: "authorize", connector: "other", intentSequence: 2, isUnknown: false },
  ]);
  expect(event).toMatchObject({ operationId: "att_2", amount: 10_000n, refusal: undefined, before: { status: "processing" } });
  expect(event.details).toEqual({
    after: "att_1",
    after_connector: "simpay",
    processor_code: "51",
    reason: "insufficient_funds",
    connector: "other",
  });
  const notSent = { ...rerouting, outcome: sampleOutcomes.notSent };
  expect(rerouteAuthorization(before, notSent, attemptContext).event.details).toMatchObject({ cause: "connection_refused" });
  expect(recordAuthorization(payment, { attemptId: "att_1", outcome: sampleOutcomes.approved }, outcomeContext).kind).toBe("ignored");
  const held = appended(recordAuthorization(payment, { attemptId: "att_2", outcome: sampleOutcomes.approved }, outcomeContext)).payment;
  expect(held).toMatchObject({ status: "authorized", processorResponse: { connector: "other" } });
});

test("nothing follows an attempt whose outcome was unknown to somebody, or that is decided", () => {
  const unknown = answered(sampleOutcomes.unknown).payment;
  const ambiguous = appended(giveUpQuerying(unknown, "att_1", context)).payment;
  const decided = answered(sampleOutcomes.declined).payment;
  expect([requested(), unknown, ambiguous, decided].map((payment) => mayReroute(payment, "att_1"))).toEqual([true, false, false, false]);
});
