/**
 * Follows the payment log while this instance leads; stands by while another one does.
 *
 * Bounds: one attempt per second to lead or to follow again. The worker keeps no state: where to begin is read from the books each time.
 */
import type { EventSource } from "@florin/runtime/bus";
import type { Sql } from "@florin/runtime/postgres";
import { type Leadership, tryToLead } from "@florin/runtime/postgres";
import type { Logger } from "@florin/runtime/telemetry";
import { systemTiming, type Timing } from "@florin/runtime/timing";
import { createBookkeeper } from "../app/bookkeeper.ts";
import type { Posted, Poster } from "../app/post-batches.ts";
import { createLogIntake, type LogIntake } from "../consumers/payment-log.ts";
import type { Progress } from "../domain/progress.ts";
import { readProgress } from "../store/progress.ts";

/** Advisory locks share one number space in a database; this database has only this one. */
const leaderLockKey = 7_001;

/** Name of this consumer at the broker and in the switch's caller policy. */
export const consumerName = "ledger";
const attemptPeriodMs = 1_000;

export type FollowState = "standby" | "following" | "failing";

export type LogFollower = {
  readonly state: FollowState;
  /** Log positions that have arrived here and are not committed yet. */
  readonly lagPositions: number;
  /** Stops following, waits for what is in flight and gives the lead away. Safe to repeat. */
  stop(): Promise<void>;
};

export type FollowParts = {
  readonly source: EventSource;
  readonly poster: Poster;
  readonly onPosted: (posted: Posted) => void;
  readonly logger: Logger;
};

export type FollowOptions = FollowParts & {
  readonly sql: Sql;
  /** A pool of one connection, for the lead lock alone. */
  readonly leaderSession: Sql;
};

/** What following needs of the database. */
export type FollowStore = {
  /** Where the books are. */
  readonly readProgress: () => Promise<Progress>;
  readonly tryToLead: () => Promise<Leadership | undefined>;
};

export function followLog({ sql, leaderSession, ...parts }: FollowOptions): LogFollower {
  return followLogOver(parts, {
    readProgress: () => readProgress(sql),
    tryToLead: () => tryToLead(leaderSession, leaderLockKey),
    timing: systemTiming,
  });
}

/** The same over any form of the books. */
export function followLogOver(parts: FollowParts, store: FollowStore & { readonly timing: Timing }): LogFollower {
  let intake: LogIntake | undefined;
  const stopping = new AbortController();
  let state: FollowState = "standby";

  async function attempt(): Promise<void> {
    let leadership: Leadership | undefined;
    try {
      leadership = await store.tryToLead();
      if (leadership === undefined) {
        state = "standby";
        return;
      }
      state = "following";
      await followOnce(parts, store, AbortSignal.any([stopping.signal, leadership.lost]), (opened) => {
        intake = opened;
      });
    } catch (thrown) {
      if (stopping.signal.aborted) return;
      state = "failing";
      parts.logger.error({ err: thrown }, "the payment log cannot be followed");
    } finally {
      await leadership?.release();
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await attempt();
      await store.timing.sleep(attemptPeriodMs, stopping.signal);
    }
  }

  const running = run();
  return {
    get state() {
      return state;
    },
    get lagPositions() {
      return intake?.lagPositions ?? 0;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** From the stored positions until `signal`, or until a batch cannot be posted: then it throws, whatever the source does about it. */
async function followOnce(
  parts: FollowParts,
  store: FollowStore & { readonly timing: Timing },
  signal: AbortSignal,
  onIntake: (intake: LogIntake) => void,
): Promise<void> {
  const afterPositions = await store.readProgress();
  parts.logger.info({ after_positions: afterPositions.map(String) }, "following the payment log");
  const failed = new AbortController();
  const bookkeeper = createBookkeeper({ poster: parts.poster, onPosted: parts.onPosted, timing: store.timing });
  const intake = createLogIntake({ bookkeeper, onFault: () => failed.abort() });
  onIntake(intake);
  await parts.source.follow({
    consumer: consumerName,
    afterPositions,
    signal: AbortSignal.any([signal, failed.signal]),
    handle: intake.handle,
  });
  await intake.finish();
}
