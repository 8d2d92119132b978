/**
 * What simlater's words mean: one table, total in the sense that whatever is not in it is `unknown`.
 *
 * Keys are `<verdict> <why>` of a report, or `<HTTP status> <fault>` of a refusal. A refusal is a decline only where simlater's documentation says
 * that nothing was done.
 */
import type { DeclineReason } from "@florin/kernel";
import type { UnknownCause } from "../contract/outcome.ts";
import { isTurnedAway } from "../http1/turned-away.ts";

/** simlater's words for what is asked of it. */
export type Step = "ORDER" | "CLEAR" | "RELEASE" | "RETURN" | "CANCEL";

export type Meaning =
  | { readonly kind: "approved"; readonly isFinal: boolean }
  | { readonly kind: "declined"; readonly reason: DeclineReason }
  | { readonly kind: "not_sent"; readonly cause: "key_refused" }
  | { readonly kind: "unknown"; readonly cause: UnknownCause };

const approved = (isFinal: boolean): Meaning => ({ kind: "approved", isFinal });
const declined = (reason: DeclineReason): Meaning => ({ kind: "declined", reason });
const unclear = (cause: UnknownCause): Meaning => ({ kind: "unknown", cause });
/** Our fault, not the card's: another processor may be tried, and no decline is held against anybody. */
const keyRefused: Meaning = { kind: "not_sent", cause: "key_refused" };

export const reportMeanings = {
  "GRANTED FINE": approved(true),
  /** A refund that was accepted, and what becomes of it. */
  "QUEUED FINE": approved(false),
  "PAID_OUT FINE": approved(true),
  "BOUNCED ACCOUNT_CLOSED": declined("invalid_account"),
  /** Cancelled by us: it has no effect. */
  "CANCELLED FINE": declined("processing_error"),
  "PROCESSING ": unclear("in_progress"),
  "REFUSED ISSUER_SAYS_NO": declined("generic_decline"),
  "REFUSED STEP_IMPOSSIBLE": declined("transaction_not_allowed"),
  "REFUSED TOTAL_IMPOSSIBLE": declined("invalid_amount"),
  "REFUSED NO_SUCH_INSTRUMENT": declined("incorrect_number"),
  "REFUSED INSTRUMENT_LOST": declined("lost_card"),
  "REFUSED INSTRUMENT_STOLEN": declined("stolen_card"),
  "REFUSED INSTRUMENT_EXPIRED": declined("expired_card"),
  "REFUSED NOT_ENOUGH_FUNDS": declined("insufficient_funds"),
  "REFUSED TRY_AGAIN": declined("try_again_later"),
  "REFUSED FRAUD_SUSPECTED": declined("fraudulent"),
  "REFUSED ISSUER_AWAY": declined("issuer_unavailable"),
  "REFUSED ISSUER_FAILED": declined("processing_error"),
  "REFUSED PAYER_MUST_PROVE": declined("authentication_required"),
  "REFUSED CODE_WRONG": declined("incorrect_cvc"),
} as const satisfies Record<string, Meaning>;

/** simlater documents each of those here that are not unclear as "nothing was done". */
export const faultMeanings = {
  "400 NOT_UNDERSTOOD": declined("processing_error"),
  "401 NO_KEY": keyRefused,
  "404 NO_SUCH_ORDER": declined("transaction_not_allowed"),
  "409 STILL_BOOKING": unclear("in_progress"),
  "429 SAME_REFERENCE_TOO_OFTEN": unclear("key_reused"),
  "503 OUT_OF_SERVICE": unclear("processor_fault"),
} as const satisfies Record<string, Meaning>;

const unmapped: Meaning = unclear("unmapped_response");

/** Only a refund is done with when it is accepted: it is paid out later. Anything else that is not final may still be refused. */
export function meaningOfReport(verdict: string, why: string, step: Step): Meaning {
  const key = `${verdict} ${why}`;
  const meaning: Meaning = Object.hasOwn(reportMeanings, key) ? reportMeanings[key as keyof typeof reportMeanings] : unmapped;
  const isOpen = meaning.kind === "approved" && !meaning.isFinal && step !== "RETURN";
  return isOpen ? unclear("in_progress") : meaning;
}

/**
 * What a refusal means for a step. An order is sent once, so that nothing was charged is its end. Another step may have been sent by a process before
 * this one. A cancellation is repeated until it is answered, and what cannot be undone simlater says in a report, never in a fault.
 */
export function meaningOfRefusal(httpStatus: number, fault: string, step: Step): Meaning {
  const meaning = meaningOfFault(httpStatus, fault);
  if (meaning.kind === "unknown" || step === "ORDER") return meaning;
  return step === "CANCEL" || isTurnedAway(httpStatus) ? unclear("turned_away") : meaning;
}

/** A fault of the processor's own is never a decline, whatever word comes with it. */
export function meaningOfFault(httpStatus: number, fault: string): Meaning {
  const key = `${httpStatus} ${fault}`;
  if (Object.hasOwn(faultMeanings, key)) return faultMeanings[key as keyof typeof faultMeanings];
  return httpStatus >= 500 ? unclear("processor_fault") : unmapped;
}
