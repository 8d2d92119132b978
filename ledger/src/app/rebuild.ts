/**
 * Rebuilds the books from the payment log into an empty database, up to given positions.
 *
 * The books are a function of the log, so rebuilt books equal the kept ones to the unit, and entries have the same ids. Kept books are
 * not touched: going over to the new ones is a matter of giving the process the new database's URL.
 */
import { assert } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import type { Balance } from "../domain/balance.ts";
import { hasReached, newSince, type Progress, progressOfNothing, trimmedTo } from "../domain/progress.ts";
import { readProgress } from "../store/progress.ts";
import { createPoster, type Poster } from "./post-batches.ts";

export type Rebuild = Poster & {
  /** True when every transfer of the other books has been made here too. */
  isDone(): boolean;
};

export type RebuildOptions = {
  readonly sql: Sql;
  /** Positions at which the other books were read: nothing beyond them is posted. */
  readonly goal: Progress;
  /** Where each partition's last transfer up to the goal is. Behind it a source may be slow to say that nothing more comes. */
  readonly newestTransfers: Progress;
};

/** A poster that stops at the goal. Refuses a database in which anything was ever posted. */
export async function startRebuild({ sql, goal, newestTransfers }: RebuildOptions): Promise<Rebuild> {
  const begin = await readProgress(sql);
  assert(
    begin.every((position) => position === 0n),
    "a rebuild begins with an empty database",
  );
  const poster = createPoster(sql);
  let reached = progressOfNothing;
  return {
    async post(batches) {
      const parts = batches.map((batch) => trimmedTo(goal, batch)).filter((batch) => batch !== undefined);
      const posted = await poster.post(parts);
      reached = newSince(reached, parts).progress;
      return posted;
    },
    isDone: () => hasReached(reached, newestTransfers),
  };
}

export type Difference = { readonly account: string; readonly kept: Balance | undefined; readonly rebuilt: Balance | undefined };

/** Accounts whose balances differ, by name and currency. Empty when the books are the same. */
export function compareBalances(kept: ReadonlyMap<string, Balance>, rebuilt: ReadonlyMap<string, Balance>): readonly Difference[] {
  const differences: Difference[] = [];
  for (const account of new Set([...kept.keys(), ...rebuilt.keys()])) {
    const [left, right] = [kept.get(account), rebuilt.get(account)];
    if (left === undefined || right === undefined || !isSame(left, right)) differences.push({ account, kept: left, rebuilt: right });
  }
  return differences;
}

function isSame(left: Balance, right: Balance): boolean {
  return (
    left.debitsPosted === right.debitsPosted &&
    left.creditsPosted === right.creditsPosted &&
    left.debitsPending === right.debitsPending &&
    left.creditsPending === right.creditsPending
  );
}
