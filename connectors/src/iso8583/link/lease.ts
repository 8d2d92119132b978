/**
 * The right to hold the live links of a processor: for a while, to one process at a time, by a number that only rises (docs/decisions/0010).
 * Pure; the clock, which never jumps, comes as an argument.
 *
 * Invariants
 * - what was granted under a lower term than the highest one seen is refused, whatever its time;
 * - within a term a grant never takes time away: an older one that comes late changes nothing;
 * - a grant counts from the moment that it names, not from its arrival: one that was long on its way, or met a process that stood still, is over.
 */
import type { LinkGrant, LinkGrantResult } from "../../contract/connector.ts";

export type Lease = {
  /** The highest term seen; 0 before the first. */
  readonly term: bigint;
  readonly untilMs: number;
};

export const noLease: Lease = { term: 0n, untilMs: Number.NEGATIVE_INFINITY };

export function takeGrant(lease: Lease, grant: LinkGrant, nowMs: number): { readonly lease: Lease; readonly result: LinkGrantResult } {
  if (grant.term < lease.term) return { lease, result: "lower_term" };
  const grantedUntilMs = grant.fromMs + grant.validForMs;
  // A higher term is a new beginning: what an earlier one allowed does not count any more.
  const untilMs = grant.term > lease.term ? grantedUntilMs : Math.max(lease.untilMs, grantedUntilMs);
  return { lease: { term: grant.term, untilMs }, result: nowMs < untilMs ? "held" : "expired" };
}

/** What links may do. */
export type LeaseStage =
  /** Connect, sign on, take requests. */
  | "held"
  /** Take no more requests: the answers to those under way may still come. */
  | "ending"
  /** Sign off, while it may still be written. */
  | "last"
  /** Nothing; the connections end. */
  | "over";

export type LeaseSettings = {
  /** Before its end a lease that was not renewed takes no more requests, ms. */
  readonly endingMs: number;
  /** Before its end links sign off whatever is under way, ms. Less than `endingMs`. */
  readonly signOffMs: number;
};

export function leaseStage({ endingMs, signOffMs }: LeaseSettings, remainingMs: number, isQuiet: boolean): LeaseStage {
  if (remainingMs <= 0) return "over";
  if (remainingMs > endingMs) return "held";
  return isQuiet || remainingMs <= signOffMs ? "last" : "ending";
}
