/**
 * How long a token lives and for whom it opens. Pure.
 *
 * - A reusable token lives until the end of its card, or for the time that was asked for if that is over before.
 * - A single-use token lives for a short time until a payment has it; from then on until the end of its card, for that payment alone, which may have to be
 *   repeated, captured or refunded.
 * - A card ends with its month plus a grace: issuers honour refunds, and often charges, for a card whose successor has the same number.
 */
import { type AppError, invalid } from "@florin/kernel";
import type { CardFacts } from "./card.ts";

export type Usage = "single_use" | "reusable";

/** What a card's holder, or the page, asked for. */
export type TokenTerms = {
  readonly usage: Usage;
  /** Seconds; undefined: as long as the usage allows. */
  readonly expiresInS: number | undefined;
};

/** Bounds of `expires_in`. */
export const expiresInSMin = 60;
const expiresInSMax = 5 * 366 * 86_400;

/** What the settings say. */
export type LifeRules = {
  readonly singleUseLifeMs: number;
  /** Days after the end of the card's month. */
  readonly graceDays: number;
};

type Expiry = Pick<CardFacts, "expMonth" | "expYear">;

/** Milliseconds since 1970 from which on nothing of the card is kept. The month ends where it ends last (UTC-12). */
export function endOfCardMs({ expMonth, expYear }: Expiry, { graceDays }: Pick<LifeRules, "graceDays">): number {
  return Date.UTC(expYear, expMonth, 1 + graceDays, 12);
}

/** Undefined when the terms can be had. */
export function problemOfTerms({ usage, expiresInS }: TokenTerms, { singleUseLifeMs }: LifeRules): AppError | undefined {
  if (expiresInS === undefined) return undefined;
  const maxS = usage === "single_use" ? singleUseLifeMs / 1_000 : expiresInSMax;
  if (expiresInS >= expiresInSMin && expiresInS <= maxS) return undefined;
  return invalid("parameter_invalid", `expires_in is ${expiresInSMin} to ${maxS} seconds for a ${usage} token`, "expires_in");
}

/** When a new token expires, should no payment have it by then; undefined: with its card. */
export function plannedExpiryMs(terms: TokenTerms, rules: LifeRules, nowMs: number): number | undefined {
  if (terms.expiresInS !== undefined) return nowMs + terms.expiresInS * 1_000;
  return terms.usage === "single_use" ? nowMs + rules.singleUseLifeMs : undefined;
}

/** From when on a token is expired. `usedBy`: the payment that has it. */
export function expiresAtMs(
  token: { readonly facts: Expiry; readonly plannedExpiryMs: number | undefined; readonly usedBy: string | undefined },
  rules: Pick<LifeRules, "graceDays">,
): number {
  const end = endOfCardMs(token.facts, rules);
  return token.usedBy === undefined && token.plannedExpiryMs !== undefined ? Math.min(token.plannedExpiryMs, end) : end;
}

/** The latest month of which every card has ended by `nowMs`. */
export function latestEndedMonth({ graceDays }: Pick<LifeRules, "graceDays">, nowMs: number): Expiry {
  const dayMs = 86_400_000;
  const before = new Date(nowMs - graceDays * dayMs - dayMs / 2);
  // The month in which `before` lies is not over: the one in front of it.
  before.setUTCDate(0);
  return { expMonth: before.getUTCMonth() + 1, expYear: before.getUTCFullYear() };
}
