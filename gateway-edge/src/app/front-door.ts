/**
 * The edge's front door: who may come in while how much is in flight here (R94, C14, C15).
 *
 * Asked twice, both times before the switch hears of the call: when the head of a request is read and its key proven, so that a body is not
 * parsed for nothing; and when the call is about to be sent, where its place is taken. A slow sender holds no place.
 * A place is held until the switch has answered, also when the merchant hangs up: the work goes on.
 *
 * How many places there are is found by how long our own part of the work takes (adaptive-limit.ts says why); what a processor took of it
 * comes with the switch's answer and does not count. A fault says nothing about it. Who is sent away is told when to come again (turns.ts).
 */
import { type AppError, sentAway } from "@florin/kernel";
import { type ClassLimits, createAdaptiveLimit, createAdmission, createTurns, type Refusal, type Spent } from "@florin/runtime/resilience";
import type { Metrics } from "@florin/runtime/telemetry";
import { type Workload, type WorkName, workloadOf } from "../domain/workload.ts";

export interface FrontDoor {
  /** Throws AppError overloaded, not_done, when there is no room for such work of this merchant. Takes nothing. */
  look(name: WorkName, merchantId: string): void;
  /** Runs the work in a place of its own. Rejects with overloaded, not_done, when there is none; then nothing was run. */
  within<T>(work: Work<T>, run: () => Promise<T>): Promise<T>;
}

export type Work<T> = {
  readonly name: WorkName;
  readonly merchantId: string;
  /** How long this answer was waited for at a processor, ms. Absent: not at all. */
  readonly processorMsOf?: ((answer: T) => number) | undefined;
};

export type FrontDoorSettings = {
  /** Places at this process: so many there always are, and never more than these. */
  readonly inFlightMin: number;
  readonly inFlightMax: number;
  /** Mean of our own time at which there are places enough, ms. */
  readonly ownTimeTargetMs: number;
  /** Shares of the places there are, 0 to 1: from this sum on the work is sent away; and so many places it may hold itself. At least one place. */
  readonly ceilings: Readonly<Record<Workload, number>>;
  readonly bulkheads: Readonly<Record<Workload, number>>;
  /** Places of one merchant per place that is free. */
  readonly merchantShareOfFree: number;
  /** What who is sent away is told to wait, ms: the least, and the longest. */
  readonly retryAfterMs: number;
  readonly retryAfterMsMax: number;
};

/** `settings` are asked for each call. */
export function createFrontDoor(o: {
  readonly settings: () => FrontDoorSettings;
  readonly metrics: Pick<Metrics, "count" | "gauge">;
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number;
}): FrontDoor {
  const { now } = o;
  let settings = o.settings();
  const limit = createAdaptiveLimit(placesOf(settings), now);
  const turns = createTurns(waitsOf(settings), now);
  const places = () => limit.current;
  const admission = createAdmission<Workload>({ ...sharesOf(settings), limit: places });
  const keepToSettings = (): void => {
    const inForce = o.settings();
    if (inForce === settings) return;
    settings = inForce;
    limit.adopt(placesOf(settings));
    turns.adopt(waitsOf(settings));
    admission.adopt({ ...sharesOf(settings), limit: places });
  };
  o.metrics.gauge("edge_in_flight_requests", () => admission.inFlight);
  o.metrics.gauge("edge_in_flight_limit", () => limit.current);
  const refused = (workload: Workload, reason: Refusal): AppError => {
    o.metrics.count("edge_shed_total", { workload, reason });
    return sentAway("overloaded", sentences[reason], turns.sentAway());
  };
  return {
    look(name, merchantId) {
      keepToSettings();
      const workload = workloadOf[name];
      const reason = admission.refusalOf(workload, merchantId);
      if (reason !== undefined) throw refused(workload, reason);
    },
    async within({ name, merchantId, processorMsOf }, run) {
      keepToSettings();
      const workload = workloadOf[name];
      const place = admission.enter(workload, merchantId);
      if (typeof place === "string") throw refused(workload, place);
      turns.admitted();
      limit.began();
      const startedMs = now();
      let spent: Spent | undefined;
      try {
        const answer = await run();
        const elsewhereMs = processorMsOf?.(answer) ?? 0;
        spent = { ownMs: Math.max(0, now() - startedMs - elsewhereMs), elsewhereMs };
        return answer;
      } finally {
        limit.ended(spent);
        admission.leave(place);
      }
    },
  };
}

const placesOf = ({ inFlightMin: min, inFlightMax: max, ownTimeTargetMs: targetMs }: FrontDoorSettings) => ({ min, max, targetMs });
const waitsOf = ({ retryAfterMs, retryAfterMsMax }: FrontDoorSettings) => ({ waitMsMin: retryAfterMs, waitMsMax: retryAfterMsMax });

function sharesOf({ inFlightMax, ceilings, bulkheads, merchantShareOfFree }: FrontDoorSettings) {
  const of = (workload: Workload): ClassLimits => ({ ceiling: ceilings[workload], ownMax: bulkheads[workload] });
  const classes = { read: of("read"), capture: of("capture"), refund: of("refund"), authorize: of("authorize") };
  return { inFlightMax, classes, shareOfFree: merchantShareOfFree };
}

const sentences: Readonly<Record<Refusal, string>> = {
  order: "Too much is in flight here. Nothing was done.",
  bulkhead: "Too many calls of this kind are in flight here. Nothing was done.",
  fairness: "Too many calls of this merchant are in flight here. Nothing was done.",
};
