/**
 * What is known about an operation at a processor after asking for it.
 *
 * Only "surely never left our house" is `not_sent`, and what the processor did not look at because it does not take our key. Whatever is not in a connector's table is `unknown`: a time-out, a reset, bytes that
 * make no sense, a code without a mapping. An unknown outcome is resolved by asking again, never by guessing.
 */
import type { DeclineReason } from "@florin/kernel";

/** The processor's own words, for the record. Empty where it gave none. */
export type ProcessorWords = {
  /** The processor's id of the operation. */
  readonly processorReference: string;
  readonly responseCode: string;
  readonly authCode: string;
  /** match, mismatch, partial, unavailable or empty. */
  readonly avs: string;
  /** match, mismatch, unavailable or empty. */
  readonly cvv: string;
};

/** What goes into an address, a header or a field of any processor again when something is done about the operation. */
const processorReferencePattern = /^[\x21-\x7e]{0,64}$/;

/** Whether it can be used again: up to 64 printable characters of ASCII without blanks, or empty. */
export function isUsableReference(processorReference: string): boolean {
  return processorReferencePattern.test(processorReference);
}

/** Why nothing was asked of the processor. Stable words: they are stored with the payment. */
export const notSentCauses = {
  token_not_found: "the vault has no such card for this merchant",
  token_already_used: "the token is for one payment, and another payment has it",
  token_expired: "the token's time is over",
  token_deleted: "the token was deleted",
  vault_unavailable: "the vault could not be asked",
  not_connected: "no connection to the processor could be made",
  queue_full: "too much is in flight to this processor",
  deadline_exceeded: "the time was over before anything was sent",
  closing: "this process is stopping",
  key_refused: "the processor does not take our key, and looked at nothing else",
} as const;
export type NotSentCause = keyof typeof notSentCauses;

/** Why nobody can say what happened. Stable words: they are stored with the payment. */
export const unknownCauses = {
  timeout: "no answer in time",
  connection_lost: "the connection broke after the request was sent",
  garbage: "the answer could not be read",
  mac_mismatch: "the answer's authentication code was wrong or missing",
  answer_mismatch: "the answer was about another operation or another amount",
  unmapped_response: "the processor's answer has no mapping",
  processor_fault: "the processor reported a fault of its own",
  turned_away: "the processor refused the request's form, key or rate, and looked at nothing else",
  key_reused: "the processor has seen this reference with other parameters",
  in_progress: "the processor is still at work on this reference",
  not_reached: "the processor could not be asked what became of the operation",
  not_repeated: "it was sent once, the processor does not have it yet, and it is not sent twice",
} as const;
export type UnknownCause = keyof typeof unknownCauses;

export type Outcome =
  /** `isFinal` is false while the processor has only accepted (refunds). */
  | { readonly kind: "approved"; readonly words: ProcessorWords; readonly isFinal: boolean }
  | { readonly kind: "declined"; readonly words: ProcessorWords; readonly reason: DeclineReason }
  | { readonly kind: "not_sent"; readonly cause: NotSentCause }
  | { readonly kind: "unknown"; readonly cause: UnknownCause; readonly words?: ProcessorWords };

/** What a query found. `not_found` only when the processor surely has no such operation and none is under way. */
export type QueryAnswer = { readonly kind: "found"; readonly outcome: Outcome } | { readonly kind: "not_found" };

export function notSent(cause: NotSentCause): Outcome {
  return { kind: "not_sent", cause };
}

export function unknown(cause: UnknownCause): Outcome {
  return { kind: "unknown", cause };
}
