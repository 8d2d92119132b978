/**
 * What simpay's answers mean: one table, total in the sense that whatever is not in it is `unknown`.
 *
 * Keys are `<status> <response code>` of an operation, or `<HTTP status> <error code>` of a documented refusal. A refusal is listed only
 * where simpay's documentation says that nothing was done.
 */
import type { DeclineReason } from "@florin/kernel";
import type { UnknownCause } from "../contract/outcome.ts";
import type { OperationKind } from "../contract/question.ts";
import { isTurnedAway } from "../http1/turned-away.ts";

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

/** Response codes in the manner of ISO 8583:1987 DE 39; two-letter ones are Visa's. */
export const operationMeanings = {
  "approved 00": approved(true),
  "pending 00": approved(false),
  "succeeded 00": approved(true),
  /** Undone by a reversal: it has no effect. */
  "reversed 00": declined("processing_error"),
  "failed 46": declined("invalid_account"),
  "declined 01": declined("do_not_honor"),
  "declined 04": declined("pickup_card"),
  "declined 05": declined("generic_decline"),
  "declined 12": declined("transaction_not_allowed"),
  "declined 13": declined("invalid_amount"),
  "declined 14": declined("incorrect_number"),
  "declined 19": declined("try_again_later"),
  "declined 41": declined("lost_card"),
  "declined 43": declined("stolen_card"),
  "declined 46": declined("invalid_account"),
  "declined 51": declined("insufficient_funds"),
  "declined 54": declined("expired_card"),
  "declined 57": declined("transaction_not_allowed"),
  "declined 59": declined("fraudulent"),
  "declined 62": declined("card_not_supported"),
  "declined 65": declined("card_velocity_exceeded"),
  "declined 91": declined("issuer_unavailable"),
  "declined 96": declined("processing_error"),
  "declined 1A": declined("authentication_required"),
  "declined N7": declined("incorrect_cvc"),
  "declined R0": declined("revocation_of_authorization"),
} as const satisfies Record<string, Meaning>;

/** simpay documents each of those here that are not unclear as "nothing was done". */
export const errorMeanings = {
  "400 request_invalid": declined("processing_error"),
  "400 idempotency_key_missing": declined("processing_error"),
  "401 api_key_invalid": keyRefused,
  "404 authorization_not_found": declined("transaction_not_allowed"),
  "409 idempotency_key_reuse": unclear("key_reused"),
  "409 operation_in_progress": unclear("in_progress"),
  "500 internal": unclear("processor_fault"),
  "503 overloaded": unclear("processor_fault"),
  "503 outage": unclear("processor_fault"),
} as const satisfies Record<string, Meaning>;

const unmapped: Meaning = unclear("unmapped_response");

/** Only a refund is done with when it is accepted: it is paid out later. Anything else that is not final may still be refused. */
export function meaningOfOperation(status: string, responseCode: string, operation: OperationKind | "reversal"): Meaning {
  const key = `${status} ${responseCode}`;
  const meaning: Meaning = Object.hasOwn(operationMeanings, key) ? operationMeanings[key as keyof typeof operationMeanings] : unmapped;
  const isOpen = meaning.kind === "approved" && !meaning.isFinal && operation !== "refund";
  return isOpen ? unclear("in_progress") : meaning;
}

/**
 * What a refusal means for an operation. The switch asks and does not repeat (`unknownStrategy`), so an authorization is sent once, and that nothing was
 * charged is its end. A movement may have been sent before. A reversal is repeated until it is answered, and what cannot be undone simpay says in a report, never in an error.
 */
export function meaningOfRefusal(httpStatus: number, code: string, operation: OperationKind | "reversal"): Meaning {
  const meaning = meaningOfError(httpStatus, code);
  if (meaning.kind === "unknown" || operation === "authorization") return meaning;
  return operation === "reversal" || isTurnedAway(httpStatus) ? unclear("turned_away") : meaning;
}

export function meaningOfError(httpStatus: number, code: string): Meaning {
  const key = `${httpStatus} ${code}`;
  return Object.hasOwn(errorMeanings, key) ? errorMeanings[key as keyof typeof errorMeanings] : unmapped;
}
