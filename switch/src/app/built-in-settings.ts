/** What holds until the house has settings of its own: the connectors and the limits that this process was started with. */
import type { SwitchConfig } from "../config.ts";
import type { CircuitLimits, RetryLimits, SwitchCallLimits } from "../domain/limits/index.ts";
import type { BuiltIn } from "../domain/settings/index.ts";
import { velocityLimitsOf } from "./fraud/velocity-limits.ts";

export function builtInOf(config: SwitchConfig): BuiltIn {
  return {
    processors: config.connector.split(","),
    velocity: velocityLimitsOf(config),
    circuits: circuitLimitsOf(config),
    retries: retryLimitsOf(config),
    switchCalls: switchCallLimitsOf(config),
  };
}

function circuitLimitsOf(config: SwitchConfig): CircuitLimits {
  return {
    failurePercent: config.circuitFailurePercent,
    resultsMin: config.circuitVolumeMin,
    windowMs: config.circuitWindowMs,
    slowAfterMs: config.circuitSlowAfterMs,
    openMs: config.circuitOpenMs,
    openMsMax: config.circuitOpenMsMax,
    refusalsMin: config.circuitRefusalsMin,
    failuresInRow: config.circuitFailuresInRow,
    probesMax: config.circuitProbesMax,
  };
}

function retryLimitsOf({ retryPercent, retriesSavedMax, retriesPerSecondMin }: SwitchConfig): RetryLimits {
  return { percent: retryPercent, savedMax: retriesSavedMax, perSecondMin: retriesPerSecondMin };
}

function switchCallLimitsOf(config: SwitchConfig): SwitchCallLimits {
  return {
    inFlightMax: config.inFlightMax,
    readsCeilingPercent: percentOf(config.readsCeiling),
    capturesCeilingPercent: percentOf(config.capturesCeiling),
    refundsCeilingPercent: percentOf(config.refundsCeiling),
    readsBulkheadPercent: percentOf(config.readsBulkhead),
    capturesBulkheadPercent: percentOf(config.capturesBulkhead),
    refundsBulkheadPercent: percentOf(config.refundsBulkhead),
    authorizationsBulkheadPercent: percentOf(config.authorizationsBulkhead),
    merchantCallsPerFreeCall: config.merchantShareOfFree,
    retryAfterMs: config.overloadRetryAfterMs,
  };
}

/** A share of nothing is one place all the same, as the least percent is. */
function percentOf(share: number): number {
  return Math.max(1, Math.round(share * 100));
}
