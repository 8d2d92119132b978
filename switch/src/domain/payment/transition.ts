/**
 * One step of a payment: facts change, the status follows, the table and the money rules are asserted.
 *
 * This is the only place that makes a next payment, so no step can skip a check.
 */
import { assert, type ErrorCode } from "@florin/kernel";
import type { EventType, Origin, PaymentEvent, Refusal } from "./event.ts";
import { type Payment, refundable, remaining } from "./payment.ts";
import { statusOf } from "./status.ts";
import { isAllowed } from "./table.ts";

/** A payment after an event, and the event: together one row of the log. */
export type Transition = { readonly payment: Payment; readonly event: PaymentEvent };

/** The answer to a command: a row to append, or a business no (nothing is written). */
export type Decision =
  | { readonly kind: "append"; readonly transition: Transition }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** The answer to an outcome: a row to append, or nothing because the operation is decided already. */
export type Recording =
  | { readonly kind: "append"; readonly transition: Transition }
  | { readonly kind: "ignored"; readonly reason: string };

export type Step = {
  readonly type: EventType;
  readonly nowMs: number;
  readonly origin: Origin;
  readonly operationId?: string;
  readonly amount?: bigint;
  readonly details?: Readonly<Record<string, string>>;
  readonly refusal?: Refusal;
};

/** The facts that a step may change; status, version and time follow. */
export type Facts = Partial<
  Omit<Payment, "id" | "merchantId" | "mode" | "currency" | "amount" | "status" | "version" | "createdAtMs" | "updatedAtMs">
>;

/** The next payment after `step`. Time never runs backwards in a payment, whatever the clocks of two machines say. */
export function advance(before: Payment, facts: Facts, step: Step): Transition {
  const changed = { ...before, ...facts };
  const payment: Payment = {
    ...changed,
    status: statusOf(changed),
    version: before.version + 1,
    updatedAtMs: Math.max(before.updatedAtMs, step.nowMs),
  };
  assert(
    isAllowed({ before: before.status, event: step.type, after: payment.status }),
    `${step.type} leads from ${before.status} to ${payment.status}`,
  );
  return checked(payment, step, { status: before.status, totals: before });
}

/** The first step of a payment. */
export function begin(payment: Payment, step: Step): Transition {
  assert(payment.version === 1, "the first event has sequence 1");
  assert(isAllowed({ before: "new", event: step.type, after: payment.status }), `${step.type} begins a payment as ${payment.status}`);
  return checked(payment, step, undefined);
}

function checked(payment: Payment, step: Step, before: { status: Payment["status"]; totals: Payment } | undefined): Transition {
  assertMoney(payment);
  const event: PaymentEvent = {
    type: step.type,
    sequence: payment.version,
    occurredAtMs: payment.updatedAtMs,
    origin: step.origin,
    operationId: step.operationId ?? "",
    amount: step.amount ?? 0n,
    before: before && {
      status: before.status,
      totals: { authorized: before.totals.authorized, captured: before.totals.captured, refunded: before.totals.refunded },
    },
    details: step.details ?? {},
    refusal: step.refusal,
  };
  return { payment, event };
}

/** The same step, taken while the idempotency cache was away or had forgotten. The mark stays with the payment. */
export function markDegraded({ payment, event }: Transition): Transition {
  return { payment: { ...payment, idempotencyDegraded: true }, event };
}

/** The money rules of every row; the database checks the same ones. */
export function assertMoney(payment: Payment): void {
  const { authorized, captured, capturePending, refunded, refundPending, released } = payment;
  assert(
    authorized >= 0n && captured >= 0n && capturePending >= 0n && refunded >= 0n && refundPending >= 0n && released >= 0n,
    "no amount is negative",
  );
  assert(authorized <= payment.amount, "authorized ≤ amount");
  assert(remaining(payment) >= 0n, "captured + pending + released ≤ authorized");
  assert(refundable(payment) >= 0n, "refunded + pending ≤ captured");
}

export const append = (transition: Transition): { readonly kind: "append"; readonly transition: Transition } => ({
  kind: "append",
  transition,
});
export const ignore = (reason: string): Recording => ({ kind: "ignored", reason });
export const refuse = (code: ErrorCode, message: string, param?: string): Decision => ({
  kind: "refused",
  refusal: param === undefined ? { code, message } : { code, message, param },
});
