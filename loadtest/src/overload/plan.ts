/** What a crowd is told and what it answers: the only words between it and the drill. */
import type { Latency } from "../bench/plan.ts";
import type { RequestPlan } from "../bench/request.ts";

export type CrowdPlan = RequestPlan & {
  /** `rate`: clients come by the clock, whatever the answers do. `saturate`: so many clients, each with one request in flight or waiting. */
  readonly pace: { readonly kind: "rate"; readonly perSecond: number } | { readonly kind: "saturate"; readonly clients: number };
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** How often a client comes again with its key after 503 or 429, when Retry-After says so. */
  readonly retriesMax: number;
};

/** Of the measured time, unless said otherwise. */
export type CrowdResult = {
  readonly seconds: number;
  /** Clients that came. */
  readonly clients: number;
  /** Requests that were answered. */
  readonly requests: number;
  readonly accepted: number;
  /** Of them, those that took longer than a second. */
  readonly acceptedLate: number;
  /** Answered 503 with `Retry-After`. */
  readonly sentAway: number;
  /** Answered 429. */
  readonly limited: number;
  /** All other answers by HTTP status; 0 is a connection that broke. */
  readonly others: Readonly<Record<string, number>>;
  /** Clients that were sent away as often as they come. */
  readonly gaveUp: number;
  /** From when the accepted request was due. */
  readonly acceptedMs: Latency;
  /** From when the request was due to its 503; not of the first seconds of the crowd, when it makes its connections. */
  readonly sentAwayMs: Latency;
  readonly bySecond: readonly Second[];
  /** Mean of the Retry-After of 503s, ms. */
  readonly retryAfterMsMean: number;
  /** Requests that waited for a free connection, at most at one time. */
  readonly waitingMost: number;
  /** CPU seconds of this process per second. */
  readonly cpuShare: number;
  /** Number and id of every payment that was accepted since the crowd began, warm-up and last answers included. */
  readonly payments: readonly (readonly [number: number, id: string])[];
  /** A few bodies of answers that were not 201, 429 or the 503 of a full house. */
  readonly complaints: readonly string[];
};

export type Second = { readonly accepted: number; readonly notAccepted: number; readonly acceptedMsWorst: number };

export type FromCrowd =
  | { readonly kind: "measuring" }
  | { readonly kind: "measured" }
  | { readonly kind: "result"; readonly result: CrowdResult };
