/**
 * What can happen to a payment. The names are the `type` column of the payment log and stay for ever.
 *
 * `…_requested` is an intent, committed before anything leaves the house; the others are outcomes. An operation whose intent has no
 * outcome is open. `authorization_rerouted` is both: one attempt has ended without the money and the next one begins, in one row, so
 * that nobody ever sees the payment declined in between.
 */
import type { ErrorCode } from "@florin/kernel";
import type { Status } from "./status.ts";

export const eventTypes = [
  "payment_created",
  "authorization_requested",
  "authorization_blocked",
  "authorization_rerouted",
  "payment_authorized",
  "payment_authorized_and_captured",
  "authorization_declined",
  "authorization_not_sent",
  "authorization_unknown",
  "authorization_ambiguous",
  "authorization_reversed",
  "authorization_expired",
  "capture_requested",
  "payment_captured",
  "capture_failed",
  "capture_unknown",
  "void_requested",
  "payment_voided",
  "void_failed",
  "void_unknown",
  "refund_requested",
  "refund_accepted",
  "refund_succeeded",
  "refund_failed",
  "refund_unknown",
  "reversal_requested",
  "reversal_succeeded",
  "reversal_failed",
] as const;

export type EventType = (typeof eventTypes)[number];

/** Who acted and on which request, for the audit trail. */
export type Origin = {
  /** "key:…", "service:…" or "worker:…". */
  readonly actor: string;
  /** "req_…", empty for workers. */
  readonly requestId: string;
  /** W3C traceparent, empty when not traced. */
  readonly traceparent: string;
};

/** A business "no", stored with the event that answers an operation. */
export type Refusal = {
  readonly code: ErrorCode;
  /** Only with a decline. */
  readonly declineCode?: "do_not_retry" | "retry_allowed";
  readonly message: string;
  readonly param?: string;
};

export type AmountTotals = { readonly authorized: bigint; readonly captured: bigint; readonly refunded: bigint };

/** One transition, as it is written to the log beside the payment after it. */
export type PaymentEvent = {
  readonly type: EventType;
  /** From 1, without gaps. */
  readonly sequence: number;
  readonly occurredAtMs: number;
  readonly origin: Origin;
  /** "att_…", "cap_…", "voi_…", "ref_…", "rev_…" or empty. */
  readonly operationId: string;
  /** Minor units this event is about; 0 when it is about none. */
  readonly amount: bigint;
  /** Absent for the first event. */
  readonly before: { readonly status: Status; readonly totals: AmountTotals } | undefined;
  /** Facts in words for the timeline: decline reason, processor code, cause. Never card data. */
  readonly details: Readonly<Record<string, string>>;
  /** Present when this event answers its operation with no. */
  readonly refusal: Refusal | undefined;
};
