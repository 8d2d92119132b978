/**
 * The limits of the settings in force, in the shape of those who keep them. Whoever keeps one asks for it each time, and gets the same object until the
 * numbers change: a new version of the settings that leaves them as they are starts nothing anew.
 */
import type { CircuitSettings, ClassLimits, RetryBudgetSettings } from "@florin/runtime/resilience";
import type { CircuitLimits, RetryLimits, SwitchCallLimits } from "../domain/limits/index.ts";
import type { HouseSettings } from "../domain/routing/index.ts";

export type Workload = "read" | "capture" | "refund" | "authorize";

export type BulkheadSettings = {
  /** Places at this process. */
  readonly inFlightMax: number;
  /** Shares of `inFlightMax`, 0 to 1. */
  readonly classes: Readonly<Record<Workload, ClassLimits>>;
  /** Places of one merchant per place that is free. */
  readonly merchantShareOfFree: number;
  /** What who is sent away is told to wait, ms. */
  readonly retryAfterMs: number;
};

export type LiveLimits = {
  readonly circuits: () => CircuitSettings;
  readonly retries: () => RetryBudgetSettings;
  readonly calls: () => BulkheadSettings;
};

export function liveLimits(settings: () => HouseSettings): LiveLimits {
  return {
    circuits: derived(() => settings().limits.circuits, circuitSettings),
    retries: derived(() => settings().limits.retries, retrySettings),
    calls: derived(() => settings().limits.switchCalls, bulkheadSettings),
  };
}

function circuitSettings({ failurePercent, resultsMin, openMsMax, ...as }: CircuitLimits): CircuitSettings {
  return { failureShare: failurePercent / 100, volumeMin: resultsMin, openMsMax: Math.max(openMsMax, as.openMs), ...as };
}

function retrySettings({ percent, ...o }: RetryLimits): RetryBudgetSettings {
  return { share: percent / 100, ...o };
}

function bulkheadSettings(limits: SwitchCallLimits): BulkheadSettings {
  const of = (ceilingPercent: number, bulkheadPercent: number) => ({ ceiling: ceilingPercent / 100, ownMax: bulkheadPercent / 100 });
  return {
    inFlightMax: limits.inFlightMax,
    classes: {
      read: of(limits.readsCeilingPercent, limits.readsBulkheadPercent),
      capture: of(limits.capturesCeilingPercent, limits.capturesBulkheadPercent),
      refund: of(limits.refundsCeilingPercent, limits.refundsBulkheadPercent),
      authorize: of(100, limits.authorizationsBulkheadPercent),
    },
    merchantShareOfFree: limits.merchantCallsPerFreeCall,
    retryAfterMs: limits.retryAfterMs,
  };
}

function derived<Limits extends Readonly<Record<string, number>>, Made>(limits: () => Limits, make: (limits: Limits) => Made): () => Made {
  let from = limits();
  let made = make(from);
  return () => {
    const now = limits();
    if (now === from) return made;
    const isSame = Object.entries(now).every(([name, value]) => from[name] === value);
    from = now;
    if (!isSame) made = make(now);
    return made;
  };
}
