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
import { createAdmission, type Refusal } from "@florin/runtime/resilience";
import type { Metrics } from "@florin/runtime/telemetry";
import type { BulkheadSettings, Workload } from "../app/live-limits.ts";

export interface Bulkheads {
  /** Runs the work in a place of its own. Rejects with overloaded, not_done, when there is none; then nothing was run. */
  within<T>(workload: Workload, merchantId: string, run: () => Promise<T>): Promise<T>;
}

/** `settings` are asked for each call. */
export function createBulkheads(o: {
  readonly settings: () => BulkheadSettings;
  readonly metrics: Pick<Metrics, "count" | "gauge">;
}): Bulkheads {
  let settings = o.settings();
  const admission = createAdmission<Workload>(admissionOf(settings));
  const keepToSettings = (): void => {
    const inForce = o.settings();
    if (inForce === settings) return;
    settings = inForce;
    admission.adopt(admissionOf(settings));
  };
  o.metrics.gauge("switch_in_flight_calls", () => admission.inFlight);
  return {
    async within(workload, merchantId, run) {
      keepToSettings();
      const place = admission.enter(workload, merchantId);
      if (typeof place === "string") {
        o.metrics.count("switch_shed_total", { workload, reason: place });
        throw new AppError("overloaded", sentences[place], { work: "not_done", retryAfterMs: settings.retryAfterMs });
      }
      try {
        return await run();
      } finally {
        admission.leave(place);
      }
    },
  };
}

function admissionOf({ inFlightMax, classes, merchantShareOfFree }: BulkheadSettings) {
  return { inFlightMax, classes, shareOfFree: merchantShareOfFree };
}

const sentences: Readonly<Record<Refusal, string>> = {
  order: "too much is in flight at the switch; nothing was done",
  bulkhead: "too many calls of this kind are in flight at the switch; nothing was done",
  fairness: "too many calls of this merchant are in flight at the switch; nothing was done",
};
