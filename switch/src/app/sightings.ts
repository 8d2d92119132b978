/**
 * Since when this process knows of an operation that is open. What another machine's clock wrote into the log does not say for how long
 * an operation has been under way: either clock may be an hour wrong. What this process has seen itself does.
 *
 * Holds no truth: an operation that was forgotten (there are at most so many) is seen anew, which costs a wait.
 */
import type { Timing } from "@florin/runtime/timing";

export interface Sightings {
  /** Milliseconds since this process first asked about this operation here; 0 the first time. */
  seenForMs(operationUuid: string): number;
  /** Recovery has seen its row for so long before it looked at the operation. */
  noteSeenFor(operationUuid: string, ms: number): void;
}

const operationsMaxDefault = 50_000;

export function createSightings(o: { readonly timing: Pick<Timing, "monotonicMs">; readonly operationsMax?: number }): Sightings {
  const { timing, operationsMax = operationsMaxDefault } = o;
  const firstSeen = new Map<string, number>();
  const note = (operationUuid: string, sinceMs: number): void => {
    if (firstSeen.size >= operationsMax) {
      const oldest = firstSeen.keys().next();
      if (!oldest.done) firstSeen.delete(oldest.value);
    }
    firstSeen.set(operationUuid, sinceMs);
  };
  return {
    seenForMs(operationUuid) {
      const nowMs = timing.monotonicMs();
      const sinceMs = firstSeen.get(operationUuid);
      if (sinceMs === undefined) note(operationUuid, nowMs);
      return nowMs - (sinceMs ?? nowMs);
    },
    noteSeenFor(operationUuid, ms) {
      const sinceMs = timing.monotonicMs() - ms;
      if (sinceMs < (firstSeen.get(operationUuid) ?? Number.POSITIVE_INFINITY)) note(operationUuid, sinceMs);
    },
  };
}
