/**
 * What the books need to know of one event of the payment log, and nothing more.
 *
 * The list of types is the `type` column of the log (docs/payment-lifecycle.md). A type that is not in this list stops the ledger: an
 * event that moves money and is skipped silently would be worse than books that stand still.
 */

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

const known: ReadonlySet<string> = new Set(eventTypes);

export function isEventType(text: string): text is EventType {
  return known.has(text);
}

export type Mode = "test" | "live";

/** Totals of a payment, minor units. */
export type Totals = { readonly authorized: bigint; readonly captured: bigint; readonly refunded: bigint };

/** One event that may move money. Amounts in minor units of `currency`. */
export type BookedEvent = {
  /** Place in the log; the entries' ids follow from it, so a rebuild gives the same ids. */
  readonly position: bigint;
  readonly type: EventType;
  /** "pay_…" */
  readonly paymentId: string;
  /** "mer_…" */
  readonly merchantId: string;
  readonly mode: Mode;
  /** ISO 4217. */
  readonly currency: string;
  /** Registry name of the processor's connector, for example "simpay". */
  readonly connector: string;
  /** What this event is about; 0 when it is about none. */
  readonly amount: bigint;
  readonly before: Totals;
  readonly after: Totals;
  /** Unix milliseconds. */
  readonly occurredAtMs: number;
};
