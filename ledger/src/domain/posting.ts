/**
 * The posting rules: one event of the payment log in, balanced transfers out. Pure: the same event always gives the same transfers.
 *
 * A transfer debits one account and credits another with the same amount, so the entries of every event sum to zero per currency and
 * layer by construction. Layer `pending` is money that issuers hold for us, layer `posted` is money that moved.
 *
 * | event                             | pending                               | posted                                |
 * | payment_authorized                | debit receivable, credit payable      |                                       |
 * | payment_captured                  | debit payable, credit receivable      | debit receivable, credit payable      |
 * | payment_authorized_and_captured   |                                       | debit receivable, credit payable      |
 * | payment_voided                    | debit payable, credit receivable      |                                       |
 * | authorization_expired             | debit payable, credit receivable      |                                       |
 * | refund_accepted, refund_succeeded |                                       | debit payable, credit receivable      |
 * | refund_failed (after accepted)    |                                       | debit receivable, credit payable      |
 *
 * Not here: fees, settlement, chargebacks; and no totals, a balance is the sum of its entries.
 */
import { assert } from "@florin/kernel";
import { merchantPayable, processorReceivable } from "./account.ts";
import type { BookedEvent, EventType } from "./event.ts";

export type Layer = "pending" | "posted";

/** Why a transfer was made. */
export type Purpose = "hold" | "release" | "capture" | "refund" | "refund_reversal";

/** Two entries that balance: a debit and a credit of the same amount. */
export type Transfer = {
  readonly position: bigint;
  /** Place among the transfers of one event, from 0. */
  readonly leg: number;
  readonly paymentId: string;
  readonly debit: string;
  readonly credit: string;
  /** Minor units, greater than 0. */
  readonly amount: bigint;
  readonly currency: string;
  readonly layer: Layer;
  readonly purpose: Purpose;
  readonly eventType: EventType;
  readonly occurredAtMs: number;
};

type Movement = { readonly purpose: Purpose; readonly amount: bigint };
type Rule = (event: BookedEvent) => readonly Movement[];

const none: readonly Movement[] = [];

/** Events that move no money: intents, refusals, and outcomes nobody knows yet. */
const nothing: Rule = () => none;

const hold: Rule = (event) => {
  const amount = event.after.authorized - event.before.authorized;
  assert(amount > 0n && event.after.captured === event.before.captured, "an authorization raises what is authorized and nothing else");
  return [{ purpose: "hold", amount }];
};

/** A capture uses up the hold: it is released and posted at once. */
const capture: Rule = (event) => {
  const amount = event.after.captured - event.before.captured;
  assert(amount > 0n && event.after.authorized === event.before.authorized, "a capture raises what is captured and nothing else");
  return [
    { purpose: "release", amount },
    { purpose: "capture", amount },
  ];
};

/** Authorized and captured in one message: nothing was ever pending. */
const sale: Rule = (event) => {
  const amount = event.after.captured - event.before.captured;
  assert(amount > 0n && amount === event.after.authorized - event.before.authorized, "a sale captures what it authorizes");
  return [{ purpose: "capture", amount }];
};

/** A void or an expiry gives back what was held and not captured. */
const release: Rule = (event) => {
  assert(event.amount > 0n, "a release is about an amount");
  assert(event.amount <= event.after.authorized - event.after.captured, "no more is released than is held");
  return [{ purpose: "release", amount: event.amount }];
};

/** A refund counts once the processor has accepted it; its later success changes nothing. */
const refund: Rule = (event) => {
  const amount = event.after.refunded - event.before.refunded;
  assert(amount >= 0n, "an accepted refund never lowers what is refunded");
  return amount === 0n ? none : [{ purpose: "refund", amount }];
};

/** A refund that fails after it was accepted is taken back; before that nothing was posted. */
const refundFailure: Rule = (event) => {
  const amount = event.before.refunded - event.after.refunded;
  assert(amount >= 0n, "a failed refund never raises what is refunded");
  return amount === 0n ? none : [{ purpose: "refund_reversal", amount }];
};

const rules: Readonly<Record<EventType, Rule>> = {
  payment_created: nothing,
  authorization_requested: nothing,
  authorization_blocked: nothing,
  authorization_rerouted: nothing,
  payment_authorized: hold,
  payment_authorized_and_captured: sale,
  authorization_declined: nothing,
  authorization_not_sent: nothing,
  authorization_unknown: nothing,
  authorization_ambiguous: nothing,
  authorization_reversed: nothing,
  authorization_expired: release,
  capture_requested: nothing,
  payment_captured: capture,
  capture_failed: nothing,
  capture_unknown: nothing,
  void_requested: nothing,
  payment_voided: release,
  void_failed: nothing,
  void_unknown: nothing,
  refund_requested: nothing,
  refund_accepted: refund,
  refund_succeeded: refund,
  refund_failed: refundFailure,
  refund_unknown: nothing,
  reversal_requested: nothing,
  reversal_succeeded: nothing,
  reversal_failed: nothing,
};

type Side = "receivable" | "payable";

/** Which account a purpose debits (the other one is credited), and in which layer. */
const purposes: Readonly<Record<Purpose, { readonly debit: Side; readonly layer: Layer }>> = {
  hold: { debit: "receivable", layer: "pending" },
  release: { debit: "payable", layer: "pending" },
  capture: { debit: "receivable", layer: "posted" },
  refund: { debit: "payable", layer: "posted" },
  refund_reversal: { debit: "receivable", layer: "posted" },
};

/** What an entry of this purpose says in words. */
export const purposeDescriptions: Readonly<Record<Purpose, string>> = {
  hold: "The issuer holds the amount.",
  release: "A hold was used by a capture, voided, or ran out.",
  capture: "The amount was captured.",
  refund: "The amount was given back to the payer.",
  refund_reversal: "An accepted refund failed; the amount came back.",
};

/** True when events of this type can move money; the others need not even be decoded. */
export function movesMoney(type: EventType): boolean {
  return rules[type] !== nothing;
}

/** The transfers of one event, at most two; none when it moves no money. Deterministic, so repeating it is harmless. */
export function transfersOf(event: BookedEvent): readonly Transfer[] {
  const movements = rules[event.type](event);
  if (movements.length === 0) return [];
  const receivable = processorReceivable(event.mode, event.connector);
  const payable = merchantPayable(event.mode, event.merchantId);
  return movements.map(({ purpose, amount }, leg) => {
    const { debit, layer } = purposes[purpose];
    return {
      position: event.position,
      leg,
      paymentId: event.paymentId,
      debit: debit === "receivable" ? receivable : payable,
      credit: debit === "receivable" ? payable : receivable,
      amount,
      currency: event.currency,
      layer,
      purpose,
      eventType: event.type,
      occurredAtMs: event.occurredAtMs,
    };
  });
}
