/** How much may be in flight here, as the house's settings say it; what they do not name is as this process was started with. */
import type { FrontDoorSettings } from "./front-door.ts";

/** Whole numbers: calls, percent and ms, by the names that they have in the settings (docs/operations/settings.md). */
export type CallLimits = {
  readonly inFlightMax?: number | undefined;
  readonly inFlightMin?: number | undefined;
  readonly ownTimeTargetMs?: number | undefined;
  readonly readsCeilingPercent?: number | undefined;
  readonly capturesCeilingPercent?: number | undefined;
  readonly refundsCeilingPercent?: number | undefined;
  readonly readsBulkheadPercent?: number | undefined;
  readonly capturesBulkheadPercent?: number | undefined;
  readonly refundsBulkheadPercent?: number | undefined;
  readonly authorizationsBulkheadPercent?: number | undefined;
  readonly merchantCallsPerFreeCall?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly retryAfterMsMax?: number | undefined;
};

/**
 * The same object until the limits are another one. `placesMax`: one less than the calls that the link to the switch takes. Beyond it the link would
 * decide who comes in, which knows no order and no fairness, and the edge could not even ask for other limits.
 */
export function doorWithLimits(
  { placesMax, ...started }: FrontDoorSettings & { readonly placesMax: number },
  limits: () => CallLimits,
): () => FrontDoorSettings {
  const doorOf = (named: CallLimits): FrontDoorSettings => {
    const wanted = named.inFlightMax ?? started.inFlightMax;
    return withLimits(started, { ...named, inFlightMax: Math.min(wanted, placesMax) });
  };
  let named = limits();
  let door = doorOf(named);
  return () => {
    const now = limits();
    if (now !== named) {
      named = now;
      door = doorOf(named);
    }
    return door;
  };
}

/** Bounds that cross, because one is named and the other is not: the upper one of places and the lower one of waits hold. */
function withLimits(started: FrontDoorSettings, named: CallLimits): FrontDoorSettings {
  const { ceilings, bulkheads } = started;
  const inFlightMax = named.inFlightMax ?? started.inFlightMax;
  const retryAfterMs = named.retryAfterMs ?? started.retryAfterMs;
  return {
    inFlightMin: Math.min(named.inFlightMin ?? started.inFlightMin, inFlightMax),
    inFlightMax,
    ownTimeTargetMs: named.ownTimeTargetMs ?? started.ownTimeTargetMs,
    ceilings: {
      read: shareOf(named.readsCeilingPercent) ?? ceilings.read,
      capture: shareOf(named.capturesCeilingPercent) ?? ceilings.capture,
      refund: shareOf(named.refundsCeilingPercent) ?? ceilings.refund,
      authorize: ceilings.authorize,
    },
    bulkheads: {
      read: shareOf(named.readsBulkheadPercent) ?? bulkheads.read,
      capture: shareOf(named.capturesBulkheadPercent) ?? bulkheads.capture,
      refund: shareOf(named.refundsBulkheadPercent) ?? bulkheads.refund,
      authorize: shareOf(named.authorizationsBulkheadPercent) ?? bulkheads.authorize,
    },
    merchantShareOfFree: named.merchantCallsPerFreeCall ?? started.merchantShareOfFree,
    retryAfterMs,
    retryAfterMsMax: Math.max(named.retryAfterMsMax ?? started.retryAfterMsMax, retryAfterMs),
  };
}

function shareOf(percent: number | undefined): number | undefined {
  return percent === undefined ? undefined : percent / 100;
}
