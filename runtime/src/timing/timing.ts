/**
 * Time as a process meets it: a clock that never jumps, pauses, and the end of the event loop's turn.
 *
 * Whatever waits takes one of these, so that the seeded simulation can run the same code in its own time. Everything else uses
 * `systemTiming`. Not here: what o'clock it is. That clock jumps, and it goes into records, never into a wait.
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface Timing {
  /** Milliseconds since some moment. Only differences mean something. */
  monotonicMs(): number;
  /** Waits `delayMs` (ms), or shorter when the signal is aborted. Never rejects. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once, `delayMs` from now. The result takes the call back; safe to repeat. */
  after(delayMs: number, run: () => void): () => void;
  /** Calls `run` once this turn of the event loop has handled its sockets. */
  atTurnEnd(run: () => void): void;
}

export const systemTiming: Timing = {
  monotonicMs: () => performance.now(),
  async sleep(delayMs, signal) {
    try {
      await sleep(delayMs, undefined, signal === undefined ? {} : { signal });
    } catch {
      // Aborted: the caller looks at the signal.
    }
  },
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
  atTurnEnd: (run) => {
    setImmediate(run);
  },
};
