/**
 * Whether a payment goes on to the next processor after an attempt, and to which. Each attempt has a reference of its own.
 *
 * Never after an unknown outcome: the first processor may have taken the money. Never after a decline that the issuer would repeat: that
 * costs fees and the card's good name. The table is total, so a new outcome does not compile until somebody decided.
 */
import type { DeclineReason } from "@florin/kernel";
import { isAboutProcessor, type Outcome } from "../payment/index.ts";
import { type CardHistory, type GuardReason, guardRetry } from "./network-guardian.ts";

/** Attempts of one authorization, the first included. */
export const attemptsMax = 3;
export type AttemptNumber = 1 | 2 | 3;

/**
 * "network_stop": a decline of category 1; the networks forbid to try this card again. "our_fault": not sent for a cause in this house (a card
 * that is not opened, a process that is full), which every other way would meet as well.
 */
export type OutcomeClass = "approved" | "soft_decline" | "hard_decline" | "network_stop" | "not_sent" | "our_fault" | "unknown";
export type StopReason =
  | "approved"
  | "hard_decline"
  | "network_stop"
  | "our_fault"
  | "unknown_outcome"
  | "attempts_used"
  | "no_candidate"
  | GuardReason;

/** `passedOver`: ranked before it, or all that were left, and down since the decision. */
export type CascadeStep =
  | { readonly kind: "next"; readonly processor: string; readonly passedOver: readonly string[] }
  | { readonly kind: "stop"; readonly reason: StopReason; readonly passedOver: readonly string[] };

type Verdict = "next" | StopReason;

export const cascadeTable: Readonly<Record<OutcomeClass, Readonly<Record<AttemptNumber, Verdict>>>> = {
  approved: { 1: "approved", 2: "approved", 3: "approved" },
  soft_decline: { 1: "next", 2: "next", 3: "attempts_used" },
  hard_decline: { 1: "hard_decline", 2: "hard_decline", 3: "hard_decline" },
  network_stop: { 1: "network_stop", 2: "network_stop", 3: "network_stop" },
  not_sent: { 1: "next", 2: "next", 3: "attempts_used" },
  our_fault: { 1: "our_fault", 2: "our_fault", 3: "our_fault" },
  unknown: { 1: "unknown_outcome", 2: "unknown_outcome", 3: "unknown_outcome" },
};

/**
 * Soft: another way to the same issuer may be approved, because the processor, the link or the way the request looked was at fault. Reasons
 * that a payer can cure later (no funds, wrong code, step-up) are hard here: now, every way ends at the same answer.
 * Category 1 follows Visa's ISO 8583 DE 39 codes 04, 07, 12, 15, 41, 43, 46, 57, R0, R1, R3 ("issuer will never approve").
 */
export const declineClasses: Readonly<Record<DeclineReason, "soft_decline" | "hard_decline" | "network_stop">> = {
  generic_decline: "soft_decline",
  do_not_honor: "soft_decline",
  try_again_later: "soft_decline",
  processing_error: "soft_decline",
  issuer_unavailable: "soft_decline",
  processor_unreachable: "soft_decline",
  insufficient_funds: "hard_decline",
  card_velocity_exceeded: "hard_decline",
  authentication_required: "hard_decline",
  incorrect_cvc: "hard_decline",
  incorrect_pin: "hard_decline",
  incorrect_number: "hard_decline",
  expired_card: "hard_decline",
  card_not_supported: "hard_decline",
  currency_not_supported: "hard_decline",
  invalid_amount: "hard_decline",
  fraudulent: "hard_decline",
  fraud_blocked: "hard_decline",
  token_not_usable: "hard_decline",
  // The first processor may have it already.
  duplicate_transaction: "hard_decline",
  transaction_not_allowed: "network_stop",
  invalid_account: "network_stop",
  lost_card: "network_stop",
  stolen_card: "network_stop",
  pickup_card: "network_stop",
  do_not_try_again: "network_stop",
  revocation_of_authorization: "network_stop",
};

export function classOf(outcome: Outcome): OutcomeClass {
  if (outcome.kind === "declined") return declineClasses[outcome.reason];
  return outcome.kind === "not_sent" && !isAboutProcessor(outcome) ? "our_fault" : outcome.kind;
}

/** An answer that says something about the processor: approved, or declined although another way might have been approved. */
export function countsTowardsRate(outcomeClass: OutcomeClass): boolean {
  return outcomeClass === "approved" || outcomeClass === "soft_decline";
}

/** Whether an attempt that ended so may be followed by another one at all, whatever the card's past and the processors' health. */
export function isWorthAnotherTry(outcome: Outcome, attempt: AttemptNumber): boolean {
  return cascadeTable[classOf(outcome)][attempt] === "next";
}

export type CascadeQuestion = {
  readonly outcome: Outcome;
  /** The number of the attempt that ended so. */
  readonly attempt: AttemptNumber;
  /** The decision's ranked processors, best first. */
  readonly ranked: readonly string[];
  readonly tried: ReadonlySet<string>;
  /** Breakers may have opened since the decision. */
  readonly isUp: (processor: string) => boolean;
  /** The card's declines with the one of this attempt counted in. */
  readonly cardHistory: CardHistory;
};

/** What to do after an attempt. The guardian is asked before anything is sent, also after a `not_sent`: the card may have come with a past. */
export function nextStep(question: CascadeQuestion): CascadeStep {
  const verdict = cascadeTable[classOf(question.outcome)][question.attempt];
  if (verdict !== "next") return { kind: "stop", reason: verdict, passedOver: [] };
  const guarded = guardRetry(question.cardHistory);
  if (guarded.kind === "refused") return { kind: "stop", reason: guarded.reason, passedOver: [] };
  const untried = question.ranked.filter((one) => !question.tried.has(one));
  const at = untried.findIndex(question.isUp);
  const processor = untried[at];
  if (processor === undefined) return { kind: "stop", reason: "no_candidate", passedOver: untried };
  return { kind: "next", processor, passedOver: untried.slice(0, at) };
}
