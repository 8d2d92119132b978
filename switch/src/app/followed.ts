/**
 * Which operations recovery follows, and when each is due. Pure bookkeeping; the clock is the one that never jumps.
 *
 * Young ones are looked at all the time. What was asked about often enough and is old is looked at now and then, in a room of its own: however many
 * processors never say a word, what became unknown just now finds a place. Nothing is let go of that is not decided. Both rooms are bounded, and while
 * the first is full, the reader of the log waits.
 */
import type { FoundOperation } from "../store/open-operations.ts";

/** Pauses between questions: 1, 2, 4, 8, 16 s and so on, up to the longest of its age. */
const pauseMsMin = 1_000;
const pauseMsMax = { young: 10 * 60 * 1000, old: 60 * 60 * 1000 } as const;
/** The longest where nobody could be asked, for want of a place or within the retry budget: thousands of those must not read the log all the time. */
const refusedPauseMsMax = 30_000;
const youngMax = 50_000;
const oldMax = 100_000;
const oldLookedAtEveryMs = 10_000;

/** What hangs on an open operation. */
export type Stake = { readonly startedAtMs: number; readonly amount: bigint; readonly currency: string };

export type Followed = FoundOperation & {
  /** Questions that were asked. */
  tries: number;
  /** Turns since then at which nobody could be asked. */
  refusals: number;
  /** By the clock that never jumps: a wall clock that is set back would put the question off for as long. */
  dueAtMs: number;
  /** Known once it was asked about. */
  stake: Stake | undefined;
  isUnderWay: boolean;
  /** Known once it was looked at. */
  processor: string | undefined;
};

export interface FollowedOperations {
  /** False when there is no room. An operation that is followed already is not added twice. */
  add(operation: FoundOperation): boolean;
  /** It is due now. False: it is not followed here. */
  hurry(operationUuid: string): boolean;
  /** Whatever is due and is not being asked about. */
  due(): Iterable<Followed>;
  /** Sets the next turn of one that is still open. `isOld`: it may wait longer. */
  again(one: Followed, isOld: boolean): void;
  /** It is decided, or another one's. */
  letGo(one: Followed): void;
  all(): Iterable<Followed>;
}

export function createFollowedOperations(monotonicMs: () => number): FollowedOperations {
  const young = new Map<string, Followed>();
  const old = new Map<string, Followed>();
  let oldAreLookedAtMs = Number.NEGATIVE_INFINITY;
  return {
    add(operation) {
      const { operationUuid } = operation;
      if (young.has(operationUuid) || old.has(operationUuid)) return true;
      if (young.size >= youngMax) return false;
      const unasked = { tries: 0, refusals: 0, stake: undefined, isUnderWay: false, processor: undefined };
      young.set(operationUuid, { ...operation, ...unasked, dueAtMs: monotonicMs() + pauseMsMin });
      return true;
    },
    hurry(operationUuid) {
      const one = young.get(operationUuid) ?? old.get(operationUuid);
      if (one === undefined) return false;
      one.dueAtMs = Math.min(one.dueAtMs, monotonicMs());
      if (old.delete(operationUuid)) young.set(operationUuid, one);
      return true;
    },
    *due() {
      const nowMs = monotonicMs();
      const isDue = ({ dueAtMs, isUnderWay }: Followed) => dueAtMs <= nowMs && !isUnderWay;
      for (const one of young.values()) if (isDue(one)) yield one;
      if (nowMs < oldAreLookedAtMs) return;
      oldAreLookedAtMs = nowMs + oldLookedAtEveryMs;
      for (const one of old.values()) if (isDue(one)) yield one;
    },
    again(one, isOld) {
      const longest = one.refusals > 0 ? refusedPauseMsMax : pauseMsMax[isOld ? "old" : "young"];
      one.dueAtMs = monotonicMs() + Math.min(pauseMsMin * 2 ** (one.tries + one.refusals), longest);
      if (isOld && old.size < oldMax && young.delete(one.operationUuid)) old.set(one.operationUuid, one);
    },
    letGo({ operationUuid }) {
      young.delete(operationUuid);
      old.delete(operationUuid);
    },
    *all() {
      yield* young.values();
      yield* old.values();
    },
  };
}
