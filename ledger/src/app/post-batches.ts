/**
 * Posts batches of the log in one transaction, exactly once each.
 *
 * What the batches bring is worked out against the positions committed last: events at or below them are dropped, so a repeated batch
 * has no effect. If another instance has posted meanwhile, the transaction does nothing, and the rest is worked out anew.
 *
 * Callers must not overlap: one call at a time (bookkeeper.ts sees to it).
 */
import { AppError, assert } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import { toDatabaseFault } from "@florin/runtime/postgres";
import { foldTransfers } from "../domain/balance.ts";
import type { BookedEvent } from "../domain/event.ts";
import { type Transfer, transfersOf } from "../domain/posting.ts";
import { type LogBatch, newSince, type Progress } from "../domain/progress.ts";
import { type AccountIds, createAccountIds } from "../store/accounts.ts";
import { type PostBatch, postBatch } from "../store/post-batch.ts";
import { readProgress } from "../store/progress.ts";

/** Times a transaction is worked out anew because another instance has moved the positions. */
const positionsMovedMax = 8;

/** Events that move no money come as undefined: they only move the position. */
export type Batch = LogBatch<BookedEvent | undefined>;

/** What one transaction added. All zero when everything was there already. */
export type Posted = { readonly events: number; readonly transfers: number };

export type Poster = {
  /** Resolves when everything in `batches` is committed. Rejects with AppError; then the same batches may be given again. */
  post(batches: readonly Batch[]): Promise<Posted>;
};

/** What a poster needs of the books; `createPoster` has it in PostgreSQL. */
export interface PostingStore {
  /** The positions as committed. */
  readProgress(): Promise<Progress>;
  /** See `createAccountIds`. */
  idsOf: AccountIds["idsOf"];
  /** See `postBatch`. */
  postBatch(batch: PostBatch): Promise<"posted" | "positions_moved">;
}

export function createPoster(sql: Sql): Poster {
  const { idsOf } = createAccountIds(sql);
  return createPosterOver({ readProgress: () => readProgress(sql), idsOf, postBatch: (batch) => postBatch(sql, batch) });
}

export function createPosterOver(store: PostingStore): Poster {
  let known: Progress | undefined;

  /** Works out and writes what is new after `expected`; undefined when another instance was faster. */
  async function postAfter(expected: Progress, batches: readonly Batch[]): Promise<{ posted: Posted; progress: Progress } | undefined> {
    const news = newSince(expected, batches);
    if (isSame(news.progress, expected)) return { posted: { events: 0, transfers: 0 }, progress: expected };
    const transfers = transfersOfAll(news.events);
    const changes = [...foldTransfers(transfers).values()];
    const accountIds = await store.idsOf(changes.map(({ account, currency }) => ({ name: account, currency })));
    const result = await store.postBatch({ expected, through: news.progress, transfers, changes, accountIds });
    if (result === "positions_moved") return undefined;
    return { posted: { events: news.events.length, transfers: transfers.length }, progress: news.progress };
  }

  return {
    async post(batches) {
      try {
        for (let attempt = 0; attempt < positionsMovedMax; attempt++) {
          const expected = known ?? (await store.readProgress());
          // Until the transaction has answered nobody knows the positions; after a fault they are read again.
          known = undefined;
          const done = await postAfter(expected, batches);
          if (done === undefined) continue;
          known = done.progress;
          return done.posted;
        }
      } catch (thrown) {
        throw toDatabaseFault(thrown);
      }
      throw new AppError("unavailable", "another instance of the ledger is posting", { work: "not_done" });
    },
  };
}

/** Sorted by position, so that the accounts' indexes grow at their right edges. */
function transfersOfAll(events: readonly (BookedEvent | undefined)[]): readonly Transfer[] {
  const transfers: Transfer[] = [];
  for (const event of events) {
    if (event === undefined) continue;
    for (const transfer of transfersOf(event)) transfers.push(transfer);
  }
  transfers.sort((left, right) => (left.position < right.position ? -1 : left.position > right.position ? 1 : left.leg - right.leg));
  for (let index = 1; index < transfers.length; index++) {
    const [left, right] = [transfers[index - 1], transfers[index]];
    assert(left?.position !== right?.position || left?.leg !== right?.leg, "no event is in two partitions");
  }
  return transfers;
}

function isSame(left: Progress, right: Progress): boolean {
  return left.every((position, partition) => position === right[partition]);
}
