/**
 * Limits of the house that are plain numbers: how each is called in a settings document, its unit, its bounds and what it means. The parser, the published
 * schema and the process's own variables read them here.
 */

export type LimitField = {
  readonly unit: string;
  /** Both included; whole numbers. */
  readonly min: number;
  readonly max: number;
  readonly help: string;
};

export type LimitFields = Readonly<Record<string, LimitField>>;
/** One number for each field. */
export type Numbers<Fields extends LimitFields> = { readonly [Name in keyof Fields]: number };

/** When a processor is sent no more of an operation, and for how long; one circuit for each processor and operation, at each replica. */
export const circuitFields = {
  failurePercent: {
    ...{ unit: "%", min: 1, max: 100 },
    help: "share of failures from which a processor is sent no more of an operation; slow calls are failures, declines are not",
  },
  resultsMin: {
    ...{ unit: "results", min: 1, max: 1_000_000 },
    help: "results within the window without which a processor is not judged",
  },
  windowMs: { unit: "ms", min: 100, max: 600_000, help: "how far back results count" },
  slowAfterMs: {
    ...{ unit: "ms", min: 10, max: 10_000 },
    help: "a call that a processor has not answered by then is a failure for its circuit; it is waited for all the same",
  },
  openMs: { unit: "ms", min: 10, max: 600_000, help: "how long a processor that failed is left alone before it is tried again" },
  openMsMax: {
    ...{ unit: "ms", min: 10, max: 3_600_000 },
    help: "how long at the most, however few payments have gone elsewhere meanwhile; where openMs is more, that holds",
  },
  refusalsMin: {
    ...{ unit: "calls", min: 0, max: 1_000_000 },
    help: "calls that must have gone elsewhere before it is tried again: where payments are few, those that try it are a small share too",
  },
  failuresInRow: {
    ...{ unit: "results", min: 2, max: 1_000_000 },
    help: "failures without a success between them, the first of them a window ago, that are enough where results are too few for the window",
  },
  probesMax: { unit: "calls", min: 1, max: 1_000, help: "calls that find out whether a processor is well again; all must succeed" },
} as const satisfies LimitFields;

/** How often a processor is bothered about what it was sent already; one budget for each processor, at each replica. */
export const retryFields = {
  percent: {
    ...{ unit: "%", min: 1, max: 100 },
    help: "questions, repetitions and reversals that a processor leaves unanswered, per operations sent to it; more are put off",
  },
  savedMax: { unit: "calls", min: 1, max: 65_536, help: "of them, what may be saved up: so many may be asked of one processor at once" },
  perSecondMin: {
    ...{ unit: "calls/s", min: 1, max: 65_536 },
    help: "of them, what is allowed where there is no traffic, so that the end of an outage is found",
  },
} as const satisfies LimitFields;

const ceiling = (work: string): LimitField => ({
  ...{ unit: "%", min: 1, max: 100 },
  help: `share of the calls that there is room for, in flight, of all kinds together, from which ${work} are sent away`,
});
const bulkhead = (work: string): LimitField => ({
  ...{ unit: "%", min: 1, max: 100 },
  help: `share of the calls that there is room for that ${work} may be`,
});

const commonCallFields = {
  readsCeilingPercent: ceiling("reads"),
  capturesCeilingPercent: ceiling("captures"),
  refundsCeilingPercent: ceiling("refunds and voids"),
  readsBulkheadPercent: bulkhead("reads"),
  capturesBulkheadPercent: bulkhead("captures"),
  refundsBulkheadPercent: bulkhead("refunds and voids"),
  authorizationsBulkheadPercent: bulkhead("authorizations"),
  merchantCallsPerFreeCall: {
    ...{ unit: "calls per free call", min: 1, max: 64 },
    help: "calls that one merchant may have in flight for each one that is still free: with 4, a merchant alone gets 4/5, two get 4/9 each",
  },
} as const satisfies LimitFields;

const inFlightMax = (rest: string): LimitField => ({
  ...{ unit: "calls", min: 1, max: 65_536 },
  help: `calls of merchants in flight at one process, at the most; ${rest}`,
});

/** Calls of merchants in flight at each switch, from all edges together. */
export const switchCallFields = {
  inFlightMax: inFlightMax("one more is answered overloaded before anything is done"),
  ...commonCallFields,
  retryAfterMs: { unit: "ms", min: 1_000, max: 60_000, help: "what who finds no place is told to wait" },
} as const satisfies LimitFields;

/** Calls of merchants in flight at each edge. */
export const edgeCallFields = {
  inFlightMax: inFlightMax("how many there may be now is found by ownTimeTargetMs, and one more is answered 503 overloaded"),
  inFlightMin: {
    ...{ unit: "calls", min: 1, max: 65_536 },
    help: "calls of merchants that are let in however long they take: a burst of so many is no overload",
  },
  ownTimeTargetMs: {
    ...{ unit: "ms", min: 1, max: 10_000 },
    help: "mean time of a call, without what processors take of it, above which fewer calls are let in",
  },
  ...commonCallFields,
  retryAfterMs: {
    ...{ unit: "ms", min: 1_000, max: 60_000 },
    help: "shortest Retry-After of a call that was sent away for want of room; in a long crowd everybody gets a turn",
  },
  retryAfterMsMax: {
    ...{ unit: "ms", min: 1_000, max: 600_000 },
    help: "longest Retry-After of such a call, and of one beyond the rate of its key",
  },
} as const satisfies LimitFields;

export type CircuitLimits = Numbers<typeof circuitFields>;
export type RetryLimits = Numbers<typeof retryFields>;
export type SwitchCallLimits = Numbers<typeof switchCallFields>;
/** Those that are named; for the others each edge has what it was started with. */
export type EdgeCallLimits = Partial<Numbers<typeof edgeCallFields>>;

/** What holds where neither a settings document nor the process's variables say otherwise. */
export const usualLimits: {
  readonly circuits: CircuitLimits;
  readonly retries: RetryLimits;
  readonly switchCalls: SwitchCallLimits;
} = {
  circuits: {
    failurePercent: 50,
    resultsMin: 20,
    windowMs: 2_000,
    slowAfterMs: 1_500,
    openMs: 1_000,
    openMsMax: 30_000,
    refusalsMin: 5,
    failuresInRow: 5,
    probesMax: 3,
  },
  retries: { percent: 10, savedMax: 256, perSecondMin: 10 },
  switchCalls: {
    inFlightMax: 8_192,
    ...{ readsCeilingPercent: 60, capturesCeilingPercent: 75, refundsCeilingPercent: 90 },
    ...{ readsBulkheadPercent: 40, capturesBulkheadPercent: 40, refundsBulkheadPercent: 40, authorizationsBulkheadPercent: 100 },
    merchantCallsPerFreeCall: 4,
    retryAfterMs: 1_000,
  },
};
