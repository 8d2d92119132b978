/**
 * How often a processor approves, learned from what it answered: per segment (processor × network × kind of card × region), over a sliding window.
 *
 * A segment has few answers and a processor many, so an estimate starts from the processor's rate over all segments, and that from a prior; each
 * counts as `priorSamples` answers that the finer one outvotes as it grows. Memory is bounded: `processorsMax` processors of `segmentsMax` segments of
 * `bucketsPerWindow` buckets; beyond that the processor or the segment that was answered least recently is forgotten. The clock is the caller's, nothing is drawn, and
 * nothing here must survive a restart: a replica that knows nothing ranks by the prior and learns again.
 */
import { assert } from "@florin/kernel";
import { processorsMax } from "./processor-profile.ts";

export type RateSettings = {
  /** Length of one bucket, ms. */
  readonly bucketMs: number;
  /** Buckets of the window; the newest is the one that is filling. */
  readonly bucketsPerWindow: number;
  /** Of one processor. */
  readonly segmentsMax: number;
  /** Weight of what is known without the segment, in answers. */
  readonly priorSamples: number;
  /** What an unknown processor is believed to approve, basis points. */
  readonly priorBps: number;
};

/** One hour in steps of five minutes. */
export const defaultRateSettings: RateSettings = {
  bucketMs: 300_000,
  bucketsPerWindow: 12,
  segmentsMax: 512,
  priorSamples: 20,
  priorBps: 8_500,
};

export type RateEstimate = {
  /** 0–10,000. */
  readonly rateBps: number;
  /** Answers in the window that the estimate of this segment rests on. */
  readonly samples: number;
};

export interface AuthorizationRates {
  /** `segment`: see `segment.ts`. */
  estimate(processor: string, segment: string, nowMs: number): RateEstimate;
  /** Only issuers' answers to payments that somebody might have approved: see `countsTowardsRate` in `cascade.ts`. */
  record(answer: { readonly processor: string; readonly segment: string; readonly isApproved: boolean }, nowMs: number): void;
  /** Segments in memory, those over all cards of a processor included. */
  readonly size: number;
}

export function createAuthorizationRates(settings: RateSettings = defaultRateSettings): AuthorizationRates {
  assert(settings.bucketMs > 0 && settings.bucketsPerWindow > 0 && settings.segmentsMax > 0, "a window, and room for a segment");
  assert(settings.priorSamples > 0, "an estimate without answers rests on a prior");
  // Two maps instead of one with joined keys: joining was half of what an estimate cost.
  const processors = new Map<string, Answers>();
  const bucketAt = (nowMs: number): number => Math.floor(nowMs / settings.bucketMs);
  // Settings change while the process runs: over its life it may meet more names than a house has at a time.
  const answersOf = (processor: string): Answers =>
    used(processors, processor, processorsMax, () => ({ overall: makeWindow(settings.bucketsPerWindow), segments: new Map() }));
  /** (approved + prior) ÷ (answers + weight of the prior), as a share. */
  const share = (window: SlidingWindow | undefined, priorShare: number): number =>
    window === undefined ? priorShare : (window.approved + settings.priorSamples * priorShare) / (window.answered + settings.priorSamples);
  return {
    estimate(processor, segment, nowMs) {
      const bucket = bucketAt(nowMs);
      const known = processors.get(processor);
      const own = known?.segments.get(segment);
      if (known !== undefined) slide(known.overall, bucket);
      if (own !== undefined) slide(own, bucket);
      const rate = share(own, share(known?.overall, settings.priorBps / 10_000));
      return { rateBps: Math.round(rate * 10_000), samples: own?.answered ?? 0 };
    },
    record({ processor, segment, isApproved }, nowMs) {
      const bucket = bucketAt(nowMs);
      const { overall, segments } = answersOf(processor);
      count(overall, bucket, isApproved);
      count(
        used(segments, segment, settings.segmentsMax, () => makeWindow(settings.bucketsPerWindow)),
        bucket,
        isApproved,
      );
    },
    get size() {
      return [...processors.values()].reduce((sum, { segments }) => sum + 1 + segments.size, 0);
    },
  };
}

type Answers = { readonly overall: SlidingWindow; readonly segments: Map<string, SlidingWindow> };

/** `entries` in order of use, the least recent first: a Map keeps the order of insertion. */
function used<Entry>(entries: Map<string, Entry>, name: string, entriesMax: number, make: () => Entry): Entry {
  const known = entries.get(name);
  if (known !== undefined) entries.delete(name);
  else if (entries.size >= entriesMax) entries.delete(entries.keys().next().value as string);
  const entry = known ?? make();
  entries.set(name, entry);
  return entry;
}

/** Sums are kept beside the buckets: asking costs no walk over them. */
type SlidingWindow = {
  readonly approvedIn: Uint32Array;
  readonly answeredIn: Uint32Array;
  newestBucket: number;
  approved: number;
  answered: number;
};

function makeWindow(buckets: number): SlidingWindow {
  return { approvedIn: new Uint32Array(buckets), answeredIn: new Uint32Array(buckets), newestBucket: 0, approved: 0, answered: 0 };
}

/** Empties the buckets that time has passed. A clock that steps back counts into the newest bucket. */
function slide(window: SlidingWindow, bucket: number): void {
  const size = window.answeredIn.length;
  const passed = Math.min(bucket - window.newestBucket, size);
  for (let step = 0; step < passed; step++) {
    const slot = (bucket - step) % size;
    window.approved -= window.approvedIn[slot] as number;
    window.answered -= window.answeredIn[slot] as number;
    window.approvedIn[slot] = 0;
    window.answeredIn[slot] = 0;
  }
  if (passed > 0) window.newestBucket = bucket;
}

function count(window: SlidingWindow, bucket: number, isApproved: boolean): void {
  slide(window, bucket);
  const slot = window.newestBucket % window.answeredIn.length;
  window.answeredIn[slot] = (window.answeredIn[slot] as number) + 1;
  window.answered += 1;
  if (!isApproved) return;
  window.approvedIn[slot] = (window.approvedIn[slot] as number) + 1;
  window.approved += 1;
}
