/**
 * The switch's own bulkheads: how much of each kind of work of merchants it takes at once (R94, C15).
 *
 * The edge has a front door of its own, and sees its own calls alone; here those of all edges and of clients that speak to the switch meet.
 * Who finds no place is answered overloaded, not_done, before anything is looked up, claimed or written. A place is held until the answer.
 * A fixed bound on purpose: the edges look for the right number, this one keeps a crowd of them from the memory and the queues in here.
 *
 * Not here: what the house does for itself (recovery, expiry, relay) and what operators ask; they must go on when merchants are too many.
 */
import { AppError } from "@florin/kernel";
import { type ClassLimits, createAdmission, type Refusal } from "@florin/runtime/resilience";
import type { Metrics } from "@florin/runtime/telemetry";

export type Workload = "read" | "capture" | "refund" | "authorize";

export interface Bulkheads {
  /** Runs the work in a place of its own. Rejects with overloaded, not_done, when there is none; then nothing was run. */
  within<T>(workload: Workload, merchantId: string, run: () => Promise<T>): Promise<T>;
}

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

export function createBulkheads(o: { readonly settings: BulkheadSettings; readonly metrics: Pick<Metrics, "count" | "gauge"> }): Bulkheads {
  const { inFlightMax, classes, merchantShareOfFree: shareOfFree, retryAfterMs } = o.settings;
  const admission = createAdmission<Workload>({ inFlightMax, classes, shareOfFree });
  o.metrics.gauge("switch_in_flight_calls", () => admission.inFlight);
  return {
    async within(workload, merchantId, run) {
      const place = admission.enter(workload, merchantId);
      if (typeof place === "string") {
        o.metrics.count("switch_shed_total", { workload, reason: place });
        throw new AppError("overloaded", sentences[place], { work: "not_done", retryAfterMs });
      }
      try {
        return await run();
      } finally {
        admission.leave(place);
      }
    },
  };
}

const sentences: Readonly<Record<Refusal, string>> = {
  order: "too much is in flight at the switch; nothing was done",
  bulkhead: "too many calls of this kind are in flight at the switch; nothing was done",
  fairness: "too many calls of this merchant are in flight at the switch; nothing was done",
};
