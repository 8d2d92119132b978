/**
 * Refunds: giving captured money back, in parts and repeatedly. A refund has states of its own: pending (intent), processing (the
 * processor accepted), succeeded, failed. It counts as refunded once the processor has accepted it; a later failure gives it back.
 */
import type { Origin, Refusal } from "./event.ts";
import { becameUnknown, closed, comesTooLate, findOpen, isNews, marked, opened, tooLate, type Yes } from "./operation.ts";
import type { Outcome } from "./outcome.ts";
import { type OpenOperation, type Payment, type Refund, refundable, refundsMax } from "./payment.ts";
import { advance, append, type Decision, type Facts, ignore, type Recording, refuse } from "./transition.ts";

/** Card refunds arrive after five to ten business days; we promise the later end. */
export const refundArrivalMs = 10 * 24 * 60 * 60 * 1000;

export type RequestRefund = {
  /** "ref_…" */
  readonly refundId: string;
  /** Minor units; absent: all that is left. */
  readonly amount: bigint | undefined;
  /** The merchant's reason: evidence in a dispute. */
  readonly reason: string;
};

type Context = { readonly nowMs: number; readonly origin: Origin };

export function requestRefund(payment: Payment, command: RequestRefund, context: Context): Decision {
  if (payment.captured === 0n) return refuse("payment_state_invalid", `a payment that is ${payment.status} has nothing to refund`);
  if (payment.refunds.length >= refundsMax) return refuse("operation_limit_reached", `a payment can have at most ${refundsMax} refunds`);
  const left = refundable(payment);
  const amount = command.amount ?? left;
  if (left === 0n) return refuse(payment.refundPending > 0n ? "payment_busy" : "payment_state_invalid", "nothing is left to refund");
  if (amount > left) return refuse("amount_too_large", `only ${left} is left to refund`, "amount");
  const refund: Refund = {
    id: command.refundId,
    amount,
    status: "pending",
    reason: command.reason,
    estimatedArrivalMs: context.nowMs + refundArrivalMs,
    createdAtMs: context.nowMs,
    updatedAtMs: context.nowMs,
    failureReason: "",
  };
  const connector = payment.processorResponse?.connector ?? "";
  const facts: Facts = {
    refunds: [...payment.refunds, refund],
    refundPending: payment.refundPending + amount,
    openOperations: opened(payment, { id: command.refundId, kind: "refund", amount, connector, nowMs: context.nowMs }),
  };
  return append(
    advance(payment, facts, {
      type: "refund_requested",
      ...context,
      operationId: command.refundId,
      amount,
      details: { reason: command.reason },
    }),
  );
}

/** What the processor's answer to a refund, or to a query about it, makes of the payment. */
export function recordRefund(
  payment: Payment,
  answer: Yes & { readonly refundId: string; readonly outcome: Outcome },
  context: Context,
): Recording {
  const operation = findOpen(payment, answer.refundId);
  if (operation === undefined) return ignore("the refund is decided already");
  const { outcome } = answer;
  switch (outcome.kind) {
    case "approved":
      if (comesTooLate(operation, answer)) return ignore(tooLate);
      return recordApproval(payment, operation, outcome.isFinal, context);
    case "declined": {
      const details = { reason: outcome.reason, processor_code: outcome.words.responseCode };
      return recordFailure(
        payment,
        operation,
        { details, reason: outcome.reason, refusal: { code: "refund_declined", message: "the processor refused the refund" } },
        context,
      );
    }
    case "not_sent": {
      if (operation.isUnknown || operation.isAccepted) return ignore("a refund that was sent is not made unsent by a later fault");
      const refusal = { code: "processor_unavailable", message: "the processor could not be reached; nothing was sent" } as const;
      return recordFailure(payment, operation, { details: { cause: outcome.cause }, reason: "processor_unreachable", refusal }, context);
    }
    case "unknown": {
      if (operation.isAccepted || !isNews(operation, outcome.cause)) return ignore("the refund is being asked about already");
      const facts: Facts = {
        ...becameUnknown(payment, operation.id, { ...context, cause: outcome.cause }),
        refunds: changed(payment, operation.id, { status: "unknown", updatedAtMs: context.nowMs }),
      };
      return append(advance(payment, facts, { ...stepOf(operation, context), type: "refund_unknown", details: { cause: outcome.cause } }));
    }
  }
}

function recordApproval(payment: Payment, operation: OpenOperation, isFinal: boolean, context: Context): Recording {
  if (operation.isAccepted && !isFinal) return ignore("the refund is accepted already");
  const accepted: Facts = operation.isAccepted
    ? {}
    : { refunded: payment.refunded + operation.amount, refundPending: payment.refundPending - operation.amount };
  if (isFinal) {
    const facts: Facts = {
      ...accepted,
      ...closed(payment, operation.id),
      refunds: changed(payment, operation.id, { status: "succeeded", updatedAtMs: context.nowMs }),
    };
    return append(advance(payment, facts, { ...stepOf(operation, context), type: "refund_succeeded" }));
  }
  const openOperations = marked(payment, operation.id, { isAccepted: true, isUnknown: false, isBeingUndone: false });
  const facts: Facts = {
    ...accepted,
    openOperations,
    resolvesByMs: openOperations.some((open) => open.isUnknown) ? payment.resolvesByMs : 0,
    refunds: changed(payment, operation.id, { status: "processing", updatedAtMs: context.nowMs }),
  };
  return append(advance(payment, facts, { ...stepOf(operation, context), type: "refund_accepted" }));
}

function recordFailure(
  payment: Payment,
  operation: OpenOperation,
  failure: { readonly details: Readonly<Record<string, string>>; readonly reason: string; readonly refusal: Refusal },
  context: Context,
): Recording {
  const givenBack: Facts = operation.isAccepted
    ? { refunded: payment.refunded - operation.amount }
    : { refundPending: payment.refundPending - operation.amount };
  const facts: Facts = {
    ...givenBack,
    ...closed(payment, operation.id),
    refunds: changed(payment, operation.id, { status: "failed", updatedAtMs: context.nowMs, failureReason: failure.reason }),
  };
  return append(
    advance(payment, facts, { ...stepOf(operation, context), type: "refund_failed", details: failure.details, refusal: failure.refusal }),
  );
}

function stepOf(operation: OpenOperation, context: Context) {
  return { ...context, operationId: operation.id, amount: operation.amount };
}

function changed(payment: Payment, refundId: string, change: Partial<Refund>): readonly Refund[] {
  return payment.refunds.map((refund) => (refund.id === refundId ? { ...refund, ...change } : refund));
}
