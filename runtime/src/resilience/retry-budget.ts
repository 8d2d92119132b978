/**
 * A retry budget: second tries are a share of first ones, so that retries cannot multiply the load of whoever is already in trouble.
 *
 * Every first try earns `share` of a retry, at most `savedMax` are saved up, and that many there are to begin with. So of any `n` first
 * tries in a row at most `share × n + savedMax` are tried again. Without a clock on purpose: what bounds retries is the traffic, not the time.
 */
import { assert } from "@florin/kernel";

export type RetryBudgetSettings = {
  /** Retries per first try, 0.001 to 1; read to the thousandth. */
  readonly share: number;
  /** Retries that may be saved up, whole, at least 1: so many at once where there is little traffic. */
  readonly savedMax: number;
};

export interface RetryBudget {
  /** Counts a first try. */
  earn(): void;
  /** Takes one retry. False: there is none left, do not try again. */
  spend(): boolean;
}

/** Counted in thousandths: sums of a fraction would drift. */
const partsPerRetry = 1_000;

export function createRetryBudget({ share, savedMax }: RetryBudgetSettings): RetryBudget {
  const earned = Math.round(share * partsPerRetry);
  assert(earned >= 1 && earned <= partsPerRetry, "share is from 0.001 to 1");
  assert(Number.isInteger(savedMax) && savedMax >= 1, "savedMax is an integer of at least 1");
  const partsMax = savedMax * partsPerRetry;
  let parts = partsMax;
  return {
    earn() {
      parts = Math.min(partsMax, parts + earned);
    },
    spend() {
      if (parts < partsPerRetry) return false;
      parts -= partsPerRetry;
      return true;
    },
  };
}
