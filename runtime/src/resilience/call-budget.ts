/**
 * What is left of a caller's time, and what others took of it.
 *
 * Made where a call comes in, from the deadline of its frame, and handed down to whatever waits on its behalf. It is asked before something
 * is begun; what has begun is finished and recorded, whoever still listens. Work that nobody waits for (recovery) has none.
 */
import { assert } from "@florin/kernel";

export interface CallBudget {
  /** Until the caller stops waiting, ms; negative afterwards. */
  msLeft(): number;
  /** Whether there is time to begin: to ask another party for a moment, and to record what it says. */
  canBegin(): boolean;
  /** How long another party may take, ms: what is left without the margin, at most `timeoutMsMax`. 0: do not ask. */
  askMs(timeoutMsMax: number): number;
  /** Runs a call to another party and counts its time as that party's. Calls one after the other add up. */
  elsewhere<T>(run: () => Promise<T>): Promise<T>;
  /** What other parties took, whole ms. The rest of the call's time is ours. */
  readonly elsewhereMs: number;
}

export type CallBudgetSettings = {
  /** Kept for what must be done after another party has answered, ms. */
  readonly marginMs: number;
  /** Another party that would have less time than this is not asked, ms. */
  readonly askMsMin: number;
};

/** `timeoutMs`: how long the caller still waits. `monotonicMs`: a clock that does not jump. */
export function createCallBudget(o: {
  readonly timeoutMs: number;
  readonly settings: CallBudgetSettings;
  readonly monotonicMs: () => number;
}): CallBudget {
  const { settings, monotonicMs } = o;
  assert(settings.marginMs >= 0 && settings.askMsMin > 0, "the times of a budget are not negative, and a party gets some");
  const deadlineMs = monotonicMs() + o.timeoutMs;
  const msLeft = (): number => deadlineMs - monotonicMs();
  let elsewhereMs = 0;
  return {
    msLeft,
    canBegin: () => msLeft() >= settings.marginMs + settings.askMsMin,
    askMs(timeoutMsMax) {
      const askMs = Math.min(timeoutMsMax, Math.floor(msLeft() - settings.marginMs));
      return askMs < settings.askMsMin ? 0 : askMs;
    },
    async elsewhere(run) {
      const startedMs = monotonicMs();
      try {
        return await run();
      } finally {
        elsewhereMs += monotonicMs() - startedMs;
      }
    },
    get elsewhereMs() {
      return Math.round(elsewhereMs);
    },
  };
}
