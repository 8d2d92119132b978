/**
 * When those who were sent away shall come again: each gets a turn behind the ones sent away before, as fast as work is taken in.
 *
 * Told the same second, all of them would be at the door again at once, and then again: turning them away would cost more than the work. In
 * a short crowd the turns are the least wait; in a long one they grow to the longest, so that most of what knocks is new. When nobody was sent away
 * for a second the crowd is over, and the next one waits behind nobody.
 */
import { assert } from "@florin/kernel";

export interface Turns {
  /** One was let in. */
  admitted(): void;
  /** One is sent away. How long it shall wait, ms, `waitMsMin` to `waitMsMax`. */
  sentAway(): number;
  /** Other waits from now on. */
  adopt(settings: TurnSettings): void;
}

export type TurnSettings = { readonly waitMsMin: number; readonly waitMsMax: number };

/** The rate of the last whole second is the one that counts. */
const windowMs = 1_000;

/** `now`: milliseconds of a clock that does not jump. */
export function createTurns(settings: TurnSettings, now: () => number): Turns {
  check(settings);
  let { waitMsMin, waitMsMax } = settings;
  let windowStartedMs = now();
  let admittedInWindow = 0;
  let admittedPerMs = 0;
  let lastSentAwayMs = Number.NEGATIVE_INFINITY;
  let lastTurnMs = Number.NEGATIVE_INFINITY;
  const look = (): number => {
    const nowMs = now();
    const passedMs = nowMs - windowStartedMs;
    if (passedMs >= windowMs) {
      // Longer, and nobody came meanwhile: a calm says nothing about how fast work can be taken in.
      admittedPerMs = passedMs < 2 * windowMs ? admittedInWindow / passedMs : 0;
      admittedInWindow = 0;
      windowStartedMs = nowMs;
    }
    return nowMs;
  };
  return {
    adopt(next) {
      check(next);
      ({ waitMsMin, waitMsMax } = next);
    },
    admitted() {
      look();
      admittedInWindow += 1;
    },
    sentAway() {
      const nowMs = look();
      // Nothing was let in for a second: nobody knows when there will be room.
      const apartMs = admittedPerMs === 0 ? 0 : 1 / admittedPerMs;
      if (nowMs - lastSentAwayMs >= windowMs) lastTurnMs = nowMs;
      lastSentAwayMs = nowMs;
      lastTurnMs = Math.min(Math.max(lastTurnMs + apartMs, nowMs + waitMsMin), nowMs + waitMsMax);
      return Math.round(lastTurnMs - nowMs);
    },
  };
}

function check({ waitMsMin, waitMsMax }: TurnSettings): void {
  assert(waitMsMin > 0 && waitMsMax >= waitMsMin, "waits are above 0 ms, the least before the longest");
}
