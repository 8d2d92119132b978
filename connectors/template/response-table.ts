/**
 * What acme's answers mean: one table, total in the sense that whatever is not in it is `unknown`.
 *
 * Keys are `<status> <code>` of an answer, or `<HTTP status> <error>` of a refusal. A refusal is a decline only where the documentation says
 * that nothing was done. When in doubt leave it out: an unknown outcome is asked about, a wrong one is money.
 */
import type { DeclineReason } from "@florin/kernel";
import type { UnknownCause } from "../src/contract/outcome.ts";
import type { OperationKind } from "../src/contract/question.ts";
import { isTurnedAway } from "../src/http1/turned-away.ts";

export type Meaning =
  | { readonly kind: "approved"; readonly isFinal: boolean }
  | { readonly kind: "declined"; readonly reason: DeclineReason }
  | { readonly kind: "not_sent"; readonly cause: "key_refused" }
  | { readonly kind: "unknown"; readonly cause: UnknownCause };

/** Fill in every answer of the documentation, as in `"paid 00": { kind: "approved", isFinal: true }`. */
export const answerMeanings: Readonly<Record<string, Meaning>> = {};

/**
 * Fill in every documented refusal, as in `"422 card_declined": { kind: "declined", reason: "generic_decline" }`. That acme does not take our key is no
 * decline of the card: `"401 key_invalid": { kind: "not_sent", cause: "key_refused" }`.
 */
export const errorMeanings: Readonly<Record<string, Meaning>> = {};

const unmapped: Meaning = { kind: "unknown", cause: "unmapped_response" };

/** Only a refund is done with when it is accepted: it is paid out later. Anything else that is not final may still be refused. */
export function meaningOfAnswer(status: string, code: string, kind: OperationKind | "reversal"): Meaning {
  const key = `${status} ${code}`;
  const meaning = (Object.hasOwn(answerMeanings, key) ? answerMeanings[key] : undefined) ?? unmapped;
  const isOpen = meaning.kind === "approved" && !meaning.isFinal && kind !== "refund";
  return isOpen ? { kind: "unknown", cause: "in_progress" } : meaning;
}

/**
 * What a refusal means for an operation. A movement may have been sent before, and a reversal is repeated until it is answered: that acme did not look
 * at the request (a wrong key, too many requests) ends neither. Fill in: with `unknownStrategy: "repeat"` an authorization is sent again as well; then
 * leave the exception for it out.
 */
export function meaningOfRefusal(httpStatus: number, error: string, kind: OperationKind | "reversal"): Meaning {
  const meaning = meaningOfError(httpStatus, error);
  const isOpen = kind !== "authorization" && meaning.kind !== "unknown" && isTurnedAway(httpStatus);
  return isOpen ? { kind: "unknown", cause: "turned_away" } : meaning;
}

/** A fault of the processor's own is never a decline. */
export function meaningOfError(httpStatus: number, error: string): Meaning {
  if (httpStatus >= 500) return { kind: "unknown", cause: "processor_fault" };
  const key = `${httpStatus} ${error}`;
  return (Object.hasOwn(errorMeanings, key) ? errorMeanings[key] : undefined) ?? unmapped;
}
