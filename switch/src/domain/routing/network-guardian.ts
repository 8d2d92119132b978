/**
 * The networks' rules on trying a card again: none after a category 1 decline, and a ceiling on declined tries. Breaking them costs a fee per
 * try and, in the end, the right to send. Counts in, verdict out; who counts is behind `DeclineHistory`.
 *
 * The ceilings are the strictest that a network sets, kept for all (Visa: 15 declined tries in 30 days; Mastercard: 10 in 24 hours).
 */

/** A try is allowed while fewer than this many were declined within the last 24 hours, to the millisecond. */
export const declinedPerDayMax = 10;
/** The same within the last 30 days. */
export const declinedPer30DaysMax = 15;
export const dayMs = 24 * 60 * 60 * 1000;
export const windowMs = 30 * dayMs;

/** Declines of one card at one merchant; the two windows end now. */
export type CardHistory = {
  readonly declinedInDay: number;
  readonly declinedIn30Days: number;
  /** A decline of category 1 within the last 30 days. */
  readonly hasCategoryOne: boolean;
};

export type GuardReason = "network_category_1" | "network_declines_per_day" | "network_declines_per_30_days";
export type GuardVerdict = { readonly kind: "allowed" } | { readonly kind: "refused"; readonly reason: GuardReason };

const allowed: GuardVerdict = { kind: "allowed" };
const refused: Readonly<Record<GuardReason, GuardVerdict>> = {
  network_category_1: { kind: "refused", reason: "network_category_1" },
  network_declines_per_day: { kind: "refused", reason: "network_declines_per_day" },
  network_declines_per_30_days: { kind: "refused", reason: "network_declines_per_30_days" },
};

export function isGuardReason(word: string): word is GuardReason {
  return Object.hasOwn(refused, word);
}

/** Whether one more try of this card may be sent. */
export function guardRetry(history: CardHistory): GuardVerdict {
  if (history.hasCategoryOne) return refused.network_category_1;
  if (history.declinedInDay >= declinedPerDayMax) return refused.network_declines_per_day;
  if (history.declinedIn30Days >= declinedPer30DaysMax) return refused.network_declines_per_30_days;
  return allowed;
}

export type Decline = { readonly atMs: number; readonly isCategoryOne: boolean };

/**
 * Where declines are kept, by merchant and card fingerprint. An adapter needs at most `declinedPer30DaysMax` entries per card, because from there on nothing is
 * sent, and passes the same tests as `historyOf`. `count` must be settled before the next `read` of the same card
 * answers, or two payments at once would both see the last free try.
 */
export interface DeclineHistory {
  read(card: CardKey, nowMs: number): Promise<CardHistory>;
  /** Safe to repeat: a decline of an attempt counts once. */
  count(card: CardKey, decline: Decline & { readonly attemptId: string }): Promise<void>;
}

export type CardKey = { readonly merchantId: string; readonly cardFingerprint: string };

/** The windows' counts from single declines, in any order. A decline exactly 24 hours (30 days) ago is outside; one from the future counts. */
export function historyOf(declines: readonly Decline[], nowMs: number): CardHistory {
  const recent = declines.filter(({ atMs }) => nowMs - atMs < windowMs);
  return {
    declinedInDay: recent.filter(({ atMs }) => nowMs - atMs < dayMs).length,
    declinedIn30Days: recent.length,
    hasCategoryOne: recent.some(({ isCategoryOne }) => isCategoryOne),
  };
}
