/**
 * The broker while it has what the consumer needs, the log itself while it has not.
 *
 * Whenever the stream is empty, has a gap, or was interrupted or quiet (it may have lost its tail), the consumer follows the log directly until
 * it has reached what the stream holds, and then goes back. So a broker that is away, wiped, damaged or behind costs the log some reading, and
 * no event; while nothing happens it costs a look into the log every ten seconds.
 */
import type { Logger, Metrics } from "../telemetry/index.ts";
import { systemTiming, type Timing } from "../timing/index.ts";
import { type DirectSourceOptions, followDirectly } from "./direct-source.ts";
import type { EventSource, FollowOptions } from "./event-bus.ts";
import type { JetStreamBus } from "./jetstream-bus.ts";
import type { StreamEnd } from "./jetstream-follower.ts";

/** How often the direct path looks whether the stream can take over again. */
const lookIntervalMs = 1_000;
/** After an interruption the log is followed until it says that it has no more, but at most this long. */
const suspicionMsMax = 10_000;

export type CatchingUpOptions = {
  readonly jetstream: Pick<JetStreamBus, "followStream" | "newestPosition">;
  readonly direct: Omit<DirectSourceOptions, "logger" | "metrics" | "timing">;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** Default: the system's. */
  readonly timing?: Timing;
};

export function createCatchingUpSource(options: CatchingUpOptions): EventSource {
  const { jetstream, logger, metrics } = options;
  return {
    follow: async (follow) => {
      const { consumer, signal } = follow;
      let positions = follow.afterPositions;
      while (!signal.aborted) {
        const { end, positions: reached } = await jetstream.followStream({ ...follow, afterPositions: positions });
        positions = reached;
        if (end.kind === "aborted" || signal.aborted) return;
        const partition = end.kind === "gap" ? end.partition : undefined;
        const err = end.kind === "interrupted" ? end.cause : undefined;
        // A quiet stream is the rule at night.
        const level = end.kind === "quiet" ? "debug" : "info";
        logger[level]({ consumer, reason: end.kind, partition, err }, "the broker cannot bring the consumer further, reading the log");
        if (end.kind === "gap") metrics?.count("bus_gaps_total");
        positions = await catchUp(options, { ...follow, afterPositions: positions }, isSuspicious[end.kind]);
      }
    },
  };
}

/** Where what the stream says is its newest may be less than it had, or than there is. */
const isSuspicious: Readonly<Record<StreamEnd["kind"], boolean>> = {
  aborted: false,
  gap: false,
  empty: false,
  quiet: true,
  interrupted: true,
};

/** `mayHaveLost`: the log is read until it says that it has no more. */
async function catchUp(options: CatchingUpOptions, follow: FollowOptions, mayHaveLost: boolean): Promise<readonly bigint[]> {
  const { jetstream, direct, logger, metrics, timing = systemTiming } = options;
  const startedAtMs = timing.monotonicMs();
  let goal: bigint | undefined;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  const isEnough = async (seenMin: bigint, isSignOfLife: boolean): Promise<boolean> => {
    const nowMs = timing.monotonicMs();
    if (goal === undefined && nowMs - lookedAtMs >= lookIntervalMs) {
      lookedAtMs = nowMs;
      goal = await jetstream.newestPosition();
    }
    if (goal === undefined || seenMin < goal) return false;
    return !mayHaveLost || isSignOfLife || nowMs - startedAtMs > suspicionMsMax;
  };
  return await followDirectly({ ...direct, logger, timing, ...(metrics === undefined ? {} : { metrics }) }, follow, isEnough);
}
