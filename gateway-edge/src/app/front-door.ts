/**
 * The edge's front door: who may come in while how much is in flight here (R94, C14, C15).
 *
 * Asked twice, both times before the switch hears of the call: when the head of a request is read and its key proven, so that a body is not
 * parsed for nothing; and when the call is about to be sent, where its place is taken. A slow sender holds no place.
 * A place is held until the switch has answered, also when the merchant hangs up: the work goes on.
 */
import { AppError } from "@florin/kernel";
import { createAdmission, type Refusal } from "@florin/runtime/resilience";
import type { Metrics } from "@florin/runtime/telemetry";
import { type Workload, type WorkName, workloadOf } from "../domain/workload.ts";

export interface FrontDoor {
  /** Throws AppError overloaded, not_done, when there is no room for such work of this merchant. Takes nothing. */
  look(name: WorkName, merchantId: string): void;
  /** Runs the work in a place of its own. Rejects with overloaded, not_done, when there is none; then nothing was run. */
  within<T>(name: WorkName, merchantId: string, run: () => Promise<T>): Promise<T>;
}

export type FrontDoorSettings = {
  /** Places at this process. */
  readonly inFlightMax: number;
  /** Shares of `inFlightMax`, 0 to 1: from this sum on the work is sent away; and so many places it may hold itself. At least one place. */
  readonly ceilings: Readonly<Record<Workload, number>>;
  readonly bulkheads: Readonly<Record<Workload, number>>;
  /** Places of one merchant per place that is free. */
  readonly merchantShareOfFree: number;
  /** What who is sent away is told to wait, ms. */
  readonly retryAfterMs: number;
};

export function createFrontDoor(o: {
  readonly settings: FrontDoorSettings;
  readonly metrics: Pick<Metrics, "count" | "gauge">;
}): FrontDoor {
  const { inFlightMax, ceilings, bulkheads, merchantShareOfFree, retryAfterMs } = o.settings;
  const places = (share: number): number => Math.min(inFlightMax, Math.max(1, Math.round(share * inFlightMax)));
  const limitsOf = (workload: Workload) => ({ ceiling: places(ceilings[workload]), ownMax: places(bulkheads[workload]) });
  const classes = { read: limitsOf("read"), capture: limitsOf("capture"), refund: limitsOf("refund"), authorize: limitsOf("authorize") };
  const admission = createAdmission<Workload>({ inFlightMax, classes, shareOfFree: merchantShareOfFree });
  o.metrics.gauge("edge_in_flight_requests", () => admission.inFlight);
  const refused = (workload: Workload, reason: Refusal): AppError => {
    o.metrics.count("edge_shed_total", { workload, reason });
    return new AppError("overloaded", sentences[reason], { work: "not_done", retryAfterMs });
  };
  return {
    look(name, merchantId) {
      const workload = workloadOf[name];
      const reason = admission.refusalOf(workload, merchantId);
      if (reason !== undefined) throw refused(workload, reason);
    },
    async within(name, merchantId, run) {
      const workload = workloadOf[name];
      const place = admission.enter(workload, merchantId);
      if (typeof place === "string") throw refused(workload, place);
      try {
        return await run();
      } finally {
        admission.leave(place);
      }
    },
  };
}

const sentences: Readonly<Record<Refusal, string>> = {
  order: "Too much is in flight here. Nothing was done.",
  bulkhead: "Too many calls of this kind are in flight here. Nothing was done.",
  fairness: "Too many calls of this merchant are in flight here. Nothing was done.",
};
