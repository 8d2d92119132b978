/**
 * Invented payments for tests and benches: lives of payments as the log would tell them, from a list of choices. Not used by the process.
 */
import { makeId } from "@florin/kernel";
import type { BookedEvent, EventType, Mode, Totals } from "./event.ts";

/** What happens next in a life, if it can: `share` (0 to 1) of what is left. */
export type Choice = {
  readonly step:
    | "authorize"
    | "sale"
    | "decline"
    | "capture"
    | "capture_failed"
    | "void"
    | "expire"
    | "refund"
    | "refund_at_once"
    | "refund_failed";
  readonly share: number;
};

export type Life = {
  readonly paymentId: string;
  readonly merchantId: string;
  readonly mode: Mode;
  readonly currency: string;
  readonly amount: bigint;
  readonly choices: readonly Choice[];
};

/** An event without its place in the log. */
export type UnplacedEvent = Omit<BookedEvent, "position">;

export function sampleId(kind: "payment" | "merchant", number: number): string {
  const random = new Uint8Array(10);
  new DataView(random.buffer).setUint32(6, number);
  return makeId(kind, 1_760_000_000_000 + number, random);
}

/** Partition of a payment: the last hex digit of its id, that is the low four bits of its last character. */
export function partitionOf(paymentId: string): number {
  return "0123456789abcdefghjkmnpqrstvwxyz".indexOf(paymentId.slice(-1)) & 15;
}

/** The events of one life, intents included, in the order the log would hold them. */
export function eventsOfLife(life: Life): readonly UnplacedEvent[] {
  const events: UnplacedEvent[] = [];
  let totals: Totals = { authorized: 0n, captured: 0n, refunded: 0n };
  let released = 0n;
  let isSale = false;
  const add = (type: EventType, amount: bigint, change: Partial<Totals> = {}) => {
    const after = { ...totals, ...change };
    events.push({
      type,
      paymentId: life.paymentId,
      merchantId: life.merchantId,
      mode: life.mode,
      currency: life.currency,
      connector: "simpay",
      amount,
      before: totals,
      after,
      occurredAtMs: 1_760_000_000_000 + events.length * 1_000,
    });
    totals = after;
  };
  const part = (whole: bigint, share: number) => {
    const units = BigInt(Math.floor(Number(whole) * share));
    return units < 1n ? 1n : units > whole ? whole : units;
  };
  add("authorization_requested", life.amount);
  for (const { step, share } of life.choices) {
    const remaining = totals.authorized - totals.captured - released;
    const refundable = totals.captured - totals.refunded;
    if (totals.authorized === 0n) {
      if (step === "decline") {
        add("authorization_declined", life.amount);
        add("authorization_requested", life.amount);
      } else if (step === "sale") {
        isSale = true;
        add("payment_authorized_and_captured", life.amount, { authorized: life.amount, captured: life.amount });
      } else add("payment_authorized", life.amount, { authorized: life.amount });
    } else if (step === "capture" && remaining > 0n) {
      const amount = part(remaining, share);
      add("capture_requested", amount);
      add("payment_captured", amount, { captured: totals.captured + amount });
    } else if (step === "capture_failed" && remaining > 0n) {
      add("capture_requested", part(remaining, share));
      add("capture_failed", part(remaining, share));
    } else if (step === "void" && remaining > 0n && !isSale) {
      add("void_requested", remaining);
      add("payment_voided", remaining);
      released += remaining;
    } else if (step === "expire" && remaining > 0n) {
      add("authorization_expired", remaining);
      released += remaining;
    } else if (step.startsWith("refund") && refundable > 0n) {
      const amount = part(refundable, share);
      add("refund_requested", amount);
      if (step === "refund_at_once") add("refund_succeeded", amount, { refunded: totals.refunded + amount });
      else {
        add("refund_accepted", amount, { refunded: totals.refunded + amount });
        if (step === "refund") add("refund_succeeded", amount);
        else add("refund_failed", amount, { refunded: totals.refunded - amount });
      }
    }
  }
  return events;
}
