/**
 * Trace numbers (DE 11) for messages about a link itself. A payment's number follows from its reference, so that whoever repeats or reverses it
 * gives the same; this counter serves what nobody repeats.
 *
 * 1 to 999999 and then 1 again. A number that is under way is left out.
 */
import { assert } from "@florin/kernel";

const stanMax = 999_999;

export type TraceNumbers = {
  /** Six digits. Undefined when `isTaken` says so of a whole round of `triesMax`. */
  next(isTaken: (stan: string) => boolean): string | undefined;
};

const triesMax = 1_000;

/** `first`: 1 to 999999, so that a restart does not begin with the numbers of yesterday. */
export function createTraceNumbers(first: number): TraceNumbers {
  assert(Number.isInteger(first) && first >= 1 && first <= stanMax, "a trace number is 1 to 999999");
  let upcoming = first;
  return {
    next(isTaken) {
      for (let tries = 0; tries < triesMax; tries++) {
        const stan = formatStan(upcoming);
        upcoming = upcoming === stanMax ? 1 : upcoming + 1;
        if (!isTaken(stan)) return stan;
      }
      return undefined;
    },
  };
}

/** Six digits. */
export function formatStan(stan: number): string {
  return String(stan).padStart(6, "0");
}
