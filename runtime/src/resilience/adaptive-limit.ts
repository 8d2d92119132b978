/**
 * How much may be in flight, found by how long our own part of the work takes: additive-multiplicative search for the place where the mean
 * of it is at a target (AIMD, as in TCP; a target of time and not of length, as in CoDel, RFC 8289).
 *
 * A fixed number cannot be right: it is rate × time, and both differ by machine and by what the processor behind us takes. The time is
 * ours alone, so a processor that becomes slow asks for more places and gets them, and a machine that is busy is given less.
 *
 * In each window of time
 * - the mean is above the target: of what was in flight, the part that waited for us is cut, by half at most. Not again before those who come
 *   in from then on have ended: what ends sooner tells of the time before the cut;
 * - the limit was nearly reached and the mean is below the target: it grows, the faster the further the mean is from the target, at most to
 *   twice in the time that a call takes. It does so too when nothing ends, because whom we wait for has become slow. But a silence
 *   shorter than a multiple of our own time says nothing: those who came in together end together;
 * - otherwise it comes down to twice of what is used, so that a rush from a calm meets a limit that is near what is known to be good.
 * Windows end when they are looked at: there is no timer. Invariant: `min` to `max`, whole.
 */
import { assert } from "@florin/kernel";

export type AdaptiveLimitSettings = {
  /** Never less, at least 1: so many never make a queue worth the name. */
  readonly min: number;
  readonly max: number;
  /** Mean of our own time that is aimed at, ms. */
  readonly targetMs: number;
};

/** Times of one call, ms: our part of it, and what others took. */
export type Spent = { readonly ownMs: number; readonly elsewhereMs: number };

export interface AdaptiveLimit {
  /** Places there are now. */
  readonly current: number;
  /** Other settings from now on; what was found stays, within the new bounds. */
  adopt(settings: AdaptiveLimitSettings): void;
  /** One more is in flight. */
  began(): void;
  /** One has ended. Once per `began`; undefined: nobody can say how long what took. */
  ended(spent: Spent | undefined): void;
}

const windowMs = 100;
/** Fewer ends than this in a window are kept for the next one: a mean of two says nothing. */
const endsMin = 8;
/** Per time of a call, while our part of it is nothing; at the target it is 1. */
const growthMost = 2;
const cutMost = 0.5;
/** A cut goes a little below what the target asks for, so that what has queued up drains. */
const cutLeast = 0.95;
/** Before a share of one owner can be reached (admission.ts): a lone merchant whose processor becomes slow is not sent away for want of a step. */
const reachedShare = 0.6;
/** Silence that is no news, in means of our own time. */
const patience = 6;
const headroom = 2;
const descent = 0.98;

/** `now`: milliseconds of a clock that does not jump. */
export function createAdaptiveLimit(settings: AdaptiveLimitSettings, now: () => number): AdaptiveLimit {
  check(settings);
  let { min, max, targetMs } = settings;
  let limit = min;
  let windowEndsMs = now() + windowMs;
  let ownMsSum = 0;
  let elsewhereMsSum = 0;
  let ends = 0;
  /** Mean time of a call, with what others took. */
  let wholeMs = windowMs;
  let cutNotBeforeMs = Number.NEGATIVE_INFINITY;
  /** The last mean of our own time that is known. */
  let knownOwnMs = 0;
  /** Since when something is in flight and nothing has ended. */
  let silentSinceMs = 0;
  let inFlight = 0;
  let inFlightPeak = 0;

  const adjusted = (nowMs: number): number => {
    const mean = ends >= endsMin ? ownMsSum / ends : 0;
    if (ends >= endsMin) {
      knownOwnMs = mean;
      wholeMs = mean + elsewhereMsSum / ends;
    }
    if (mean > targetMs && nowMs < cutNotBeforeMs) return limit;
    if (mean > targetMs) {
      cutNotBeforeMs = nowMs + wholeMs;
      // Only our own queue is to become shorter: who waits elsewhere is no part of it.
      const ownShare = ownMsSum / (ownMsSum + elsewhereMsSum);
      return Math.min(limit, inFlightPeak) * (1 - ownShare * (1 - Math.min(cutLeast, Math.max(cutMost, targetMs / mean))));
    }
    if (inFlightPeak >= limit * reachedShare) return isNoNews(nowMs) ? limit : limit * growthOf(mean, nowMs) + 1;
    return Math.min(limit, Math.max(inFlightPeak * headroom, limit * descent));
  };
  const isNoNews = (nowMs: number): boolean => ends < endsMin && nowMs - silentSinceMs < patience * knownOwnMs;
  /** By the time that a call takes, at least as long as nothing has ended, because only its end tells what the last step did. */
  const growthOf = (mean: number, nowMs: number): number => {
    const perCall = 1 + (growthMost - 1) * (1 - mean / targetMs);
    const callMs = ends < endsMin ? Math.max(wholeMs, nowMs - silentSinceMs) : wholeMs;
    return perCall ** (windowMs / Math.max(windowMs, callMs));
  };
  const look = (): void => {
    const nowMs = now();
    if (nowMs < windowEndsMs) return;
    limit = Math.min(max, Math.max(min, adjusted(nowMs)));
    if (ends >= endsMin) {
      ownMsSum = 0;
      elsewhereMsSum = 0;
      ends = 0;
    }
    inFlightPeak = inFlight;
    windowEndsMs = nowMs + windowMs;
  };
  return {
    get current() {
      // Whoever is refused asks too: a full house in which nothing ends would not look otherwise.
      look();
      return Math.floor(limit);
    },
    adopt(next) {
      check(next);
      ({ min, max, targetMs } = next);
      limit = Math.min(max, Math.max(min, limit));
    },
    began() {
      look();
      if (inFlight === 0) silentSinceMs = now();
      inFlight += 1;
      if (inFlight > inFlightPeak) inFlightPeak = inFlight;
    },
    ended(spent) {
      assert(inFlight > 0, "what ends has begun");
      inFlight -= 1;
      if (spent !== undefined) {
        ownMsSum += spent.ownMs;
        elsewhereMsSum += spent.elsewhereMs;
        ends += 1;
        silentSinceMs = now();
      }
      look();
    },
  };
}

function check({ min, max, targetMs }: AdaptiveLimitSettings): void {
  assert(Number.isInteger(min) && Number.isInteger(max) && min >= 1 && max >= min, "min and max are integers, 1 at least, in this order");
  assert(targetMs > 0, "targetMs is above 0");
}
