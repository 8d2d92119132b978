/** What the generator is told and what it answers: the only words between it and the bench. */

export type Pace =
  /** As many requests as `inFlight` connections can carry: finds the saturation rate. Latency says nothing here. */
  | { readonly kind: "saturate"; readonly inFlight: number }
  /** Open loop: requests begin by the clock, whatever the answers do. Latency counts from the intended start. */
  | { readonly kind: "rate"; readonly perSecond: number; readonly inFlightMax: number };

export type Plan = {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly secretKey: string;
  /** Payment method tokens, used in turn. */
  readonly tokens: readonly string[];
  /** Begins every idempotency key and merchant reference of this run. */
  readonly runId: string;
  readonly pace: Pace;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** Ends earlier, after this many answers in the measured time; 0 is no bound. */
  readonly requestsMax: number;
};

/** Percentiles in milliseconds. */
export type Latency = { readonly p50: number; readonly p90: number; readonly p99: number; readonly p999: number; readonly max: number };

export type Result = {
  /** Length of the measured time. */
  readonly seconds: number;
  /** Answers in the measured time by HTTP status; 0 is a connection that broke. */
  readonly answers: Readonly<Record<string, number>>;
  /** All answers with status 201 since the generator began, warm-up included. */
  readonly accepted: number;
  /** A few bodies of answers that were not 201. */
  readonly complaints: readonly string[];
  readonly latencyMs: Latency;
  /** Requests that waited for a free connection, at most at one time. A large number: the rate was beyond reach. */
  readonly waitingMost: number;
  /** Requests never sent because too many waited. Not zero: the run is void. */
  readonly dropped: number;
  /** CPU of the generator itself, microseconds per answer in the measured time. */
  readonly generatorCpuMicros: number;
};

export type FromGenerator =
  | { readonly kind: "measuring" }
  | { readonly kind: "measured"; readonly answers: number }
  | { readonly kind: "result"; readonly result: Result };
