/**
 * A retry budget: second tries are a share of first ones, so that retries cannot multiply the load of whoever is already in trouble.
 *
 * Every first try earns `share` of a retry, at most `savedMax` are saved up, and that many there are to begin with. So of any `n` first
 * tries in a row at most `share × n + savedMax` are tried again without success. Where there is no traffic `perSecondMin` of them are earned
 * by time, so that somebody finds out when the party is back.
 *
 * What was answered may be given back: a party that answers is in no trouble, and asking it again and again is no storm.
 */
import { assert } from "@florin/kernel";

export type RetryBudgetSettings = {
  /** Retries per first try, 0.001 to 1; read to the thousandth. */
  readonly share: number;
  /** Retries that may be saved up, whole, at least 1: so many at once where there is little traffic. */
  readonly savedMax: number;
  /** Earned by time alone, retries/s. Default 0. */
  readonly perSecondMin?: number;
};

export interface RetryBudget {
  /** Counts a first try. */
  earn(): void;
  /** Takes one retry. False: there is none left, do not try again. */
  spend(): boolean;
  /** The retry was answered: it does not count. At most once per `spend` that was true. */
  giveBack(): void;
}

/** Counted in thousandths: sums of a fraction would drift. */
const partsPerRetry = 1_000;

/** `now`: milliseconds of a clock that does not jump; asked only where `perSecondMin` is above 0. */
export function createRetryBudget({ share, savedMax, perSecondMin = 0 }: RetryBudgetSettings, now: () => number = () => 0): RetryBudget {
  const earned = Math.round(share * partsPerRetry);
  assert(earned >= 1 && earned <= partsPerRetry, "share is from 0.001 to 1");
  assert(Number.isInteger(savedMax) && savedMax >= 1, "savedMax is an integer of at least 1");
  assert(perSecondMin >= 0, "perSecondMin is not negative");
  const partsMax = savedMax * partsPerRetry;
  let parts = partsMax;
  let paidUntilMs = perSecondMin === 0 ? 0 : now();
  const add = (more: number): void => {
    parts = Math.min(partsMax, parts + more);
  };
  const earnByTime = (): void => {
    if (perSecondMin === 0) return;
    const retries = Math.floor(((now() - paidUntilMs) / 1_000) * perSecondMin);
    if (retries < 1) return;
    paidUntilMs += (retries / perSecondMin) * 1_000;
    add(retries * partsPerRetry);
  };
  return {
    earn: () => add(earned),
    spend() {
      earnByTime();
      if (parts < partsPerRetry) return false;
      parts -= partsPerRetry;
      return true;
    },
    giveBack: () => add(partsPerRetry),
  };
}
