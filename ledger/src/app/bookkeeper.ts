/**
 * Keeps the books while batches arrive: one transaction at a time, the next one gathers whatever came while the last was in flight.
 *
 * A transaction costs about half a millisecond of CPU whatever is in it (bench/posting.ts), and the books may lag (R64). So when little
 * has gathered, transactions begin at least `transactionPeriodMsMin` apart; the first one after a quiet time begins at once.
 *
 * After a fault this bookkeeper posts nothing more: a later batch of the same partition must not overtake the one that failed, because
 * the position would move past it. Follow the log again from the stored positions, with a new bookkeeper.
 */
import { AppError } from "@florin/kernel";
import { createBatcher, type Settled } from "@florin/runtime/batch";
import { systemTiming, type Timing } from "@florin/runtime/timing";
import type { Batch, Posted, Poster } from "./post-batches.ts";

/** Batches of the log in one transaction, and waiting for one. A broker message is a batch; there are 16 partitions. */
const batchesPerTransactionMax = 512;
const batchesWaitingMax = 4_096;
const transactionPeriodMsMin = 50;
/** As many events are worth a transaction of their own, whenever they come. */
const eventsWorthPosting = 1_024;

export type Bookkeeper = {
  /**
   * Resolves when `batch` is committed, by this call or an earlier one. Batches of one partition come in order; the next may be given
   * before the last has resolved. Rejects with AppError: then it may be given to a new bookkeeper.
   */
  post(batch: Batch): Promise<void>;
  /** Waits for what is in flight. */
  close(): Promise<void>;
};

/** `timing`: default the system's. */
export function createBookkeeper(options: {
  readonly poster: Poster;
  readonly onPosted: (posted: Posted) => void;
  readonly timing?: Timing;
}): Bookkeeper {
  const { timing = systemTiming } = options;
  let hasFailed = false;
  let lastBeganAtMs = Number.NEGATIVE_INFINITY;

  async function rest(members: readonly Batch[]): Promise<void> {
    const events = members.reduce((sum, batch) => sum + batch.events.length, 0);
    const restMs = lastBeganAtMs + transactionPeriodMsMin - timing.monotonicMs();
    if (restMs > 1 && events < eventsWorthPosting) await timing.sleep(restMs);
    lastBeganAtMs = timing.monotonicMs();
  }

  const batcher = createBatcher<Batch, void>({
    name: "ledger_post",
    batchMax: batchesPerTransactionMax,
    queueDepthMax: batchesWaitingMax,
    timing,
    async run(members): Promise<readonly Settled<void>[]> {
      if (hasFailed) throw new AppError("unavailable", "an earlier batch could not be posted", { work: "not_done" });
      try {
        await rest(members);
        options.onPosted(await options.poster.post(members));
      } catch (thrown) {
        hasFailed = true;
        throw thrown;
      }
      return members.map(() => ({ ok: true, value: undefined }));
    },
  });
  return { post: (batch) => batcher.submit(batch), close: () => batcher.close() };
}
