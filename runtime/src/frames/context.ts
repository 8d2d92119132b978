/** What a handler knows about a call besides its request. */

export type CallContext = {
  /** Identity of the caller's certificate ("edge"); "insecure" when TLS is off. */
  readonly peer: string;
  /** When the caller stops waiting, ms since the epoch; Infinity when it did not say (server-streaming calls only). */
  readonly deadlineAtMs: number;
  /** W3C traceparent header, "" when the caller is not traced. */
  readonly traceparent: string;
  /** Aborted when the caller cancels or is lost, or its deadline passes. Made on first use: do not touch it where it is not needed. */
  readonly signal: AbortSignal;
};
