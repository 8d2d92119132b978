/**
 * The whole payment state machine: every status against every event, no gaps.
 *
 * A cell lists the statuses that may follow; an empty cell means the event cannot happen there, and applying it is a bug.
 * docs/payment-lifecycle.md prints this table.
 */
import type { EventType } from "./event.ts";
import type { Status } from "./status.ts";

type Row = Readonly<Record<EventType, readonly Status[]>>;

const none: readonly Status[] = [];

const nothing: Row = {
  payment_created: none,
  authorization_requested: none,
  authorization_blocked: none,
  authorization_rerouted: none,
  payment_authorized: none,
  payment_authorized_and_captured: none,
  authorization_declined: none,
  authorization_not_sent: none,
  authorization_unknown: none,
  authorization_ambiguous: none,
  authorization_reversed: none,
  authorization_expired: none,
  capture_requested: none,
  payment_captured: none,
  capture_failed: none,
  capture_unknown: none,
  void_requested: none,
  payment_voided: none,
  void_failed: none,
  void_unknown: none,
  refund_requested: none,
  refund_accepted: none,
  refund_succeeded: none,
  refund_failed: none,
  refund_unknown: none,
  reversal_requested: none,
  reversal_succeeded: none,
  reversal_failed: none,
};

/** From which nothing but the outcome of an attempt can lead. */
const attemptOutcomes = {
  payment_authorized: ["authorized"],
  payment_authorized_and_captured: ["captured"],
  authorization_declined: ["declined"],
  authorization_reversed: ["declined"],
} as const satisfies Partial<Row>;

const attemptStart = { authorization_requested: ["processing"], authorization_blocked: ["declined"] } as const satisfies Partial<Row>;

/** Outcomes of refunds leave a payment in one of these, by its totals. */
const afterRefund: readonly Status[] = ["partially_refunded", "refunded"];
/** A refund that fails after it was accepted gives its amount back. */
const afterFailedRefund: readonly Status[] = ["partially_captured", "captured", "partially_refunded", "refunded"];

const stay = <S extends Status>(status: S): readonly [S] => [status];

/** Reversals undo what never counted: they may happen anywhere and lead nowhere. */
function reversalsOf(status: Status): Pick<Row, "reversal_requested" | "reversal_succeeded" | "reversal_failed"> {
  return { reversal_requested: stay(status), reversal_succeeded: stay(status), reversal_failed: stay(status) };
}

function refundsOf(
  status: Status,
): Pick<Row, "refund_requested" | "refund_accepted" | "refund_succeeded" | "refund_failed" | "refund_unknown"> {
  return {
    refund_requested: stay(status),
    refund_accepted: afterRefund,
    refund_succeeded: afterRefund,
    refund_failed: afterFailedRefund,
    refund_unknown: stay(status),
  };
}

export const table: Readonly<Record<Status | "new", Row>> = {
  new: { ...nothing, payment_created: ["created"], ...attemptStart },
  created: { ...nothing, ...reversalsOf("created"), ...attemptStart },
  processing: {
    ...nothing,
    ...reversalsOf("processing"),
    ...attemptOutcomes,
    authorization_rerouted: ["processing"],
    authorization_not_sent: ["declined"],
    authorization_unknown: ["processing"],
    authorization_ambiguous: ["ambiguous"],
  },
  // Unknown again: recovery is about to undo it.
  ambiguous: { ...nothing, ...reversalsOf("ambiguous"), ...attemptOutcomes, authorization_unknown: ["ambiguous"] },
  declined: { ...nothing, ...reversalsOf("declined"), ...attemptStart },
  authorized: {
    ...nothing,
    ...reversalsOf("authorized"),
    capture_requested: ["authorized"],
    payment_captured: ["partially_captured", "captured"],
    capture_failed: ["authorized"],
    capture_unknown: ["authorized"],
    void_requested: ["authorized"],
    payment_voided: ["voided"],
    void_failed: ["authorized"],
    void_unknown: ["authorized"],
    authorization_expired: ["expired"],
  },
  partially_captured: {
    ...nothing,
    ...reversalsOf("partially_captured"),
    capture_requested: ["partially_captured"],
    payment_captured: ["partially_captured", "captured"],
    capture_failed: ["partially_captured"],
    capture_unknown: ["partially_captured"],
    void_requested: ["partially_captured"],
    payment_voided: ["captured"],
    void_failed: ["partially_captured"],
    void_unknown: ["partially_captured"],
    authorization_expired: ["captured"],
    ...refundsOf("partially_captured"),
    refund_accepted: ["partially_refunded"],
    refund_succeeded: ["partially_refunded"],
  },
  captured: { ...nothing, ...reversalsOf("captured"), ...refundsOf("captured") },
  partially_refunded: {
    ...nothing,
    ...reversalsOf("partially_refunded"),
    capture_requested: ["partially_refunded"],
    payment_captured: ["partially_refunded"],
    capture_failed: ["partially_refunded"],
    capture_unknown: ["partially_refunded"],
    void_requested: ["partially_refunded"],
    payment_voided: ["partially_refunded", "refunded"],
    void_failed: ["partially_refunded"],
    void_unknown: ["partially_refunded"],
    authorization_expired: ["partially_refunded", "refunded"],
    ...refundsOf("partially_refunded"),
  },
  refunded: { ...nothing, ...reversalsOf("refunded"), ...refundsOf("refunded"), refund_requested: none, refund_accepted: none },
  voided: { ...nothing, ...reversalsOf("voided") },
  expired: { ...nothing, ...reversalsOf("expired") },
};

/** True when `event` may lead from `before` (or from nothing) to `after`. */
export function isAllowed(step: { readonly before: Status | "new"; readonly event: EventType; readonly after: Status }): boolean {
  return table[step.before][step.event].includes(step.after);
}
