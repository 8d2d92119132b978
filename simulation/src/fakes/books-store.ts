/** The ledger's tables: accounts, transfers, balances and the positions, moved together or not at all. */
import { AppError } from "@florin/kernel";
import type { PostingStore } from "@florin/ledger/src/app/post-batches.ts";
import { accountKey, type Balance, zeroBalance } from "@florin/ledger/src/domain/balance.ts";
import type { Transfer } from "@florin/ledger/src/domain/posting.ts";
import { type Progress, progressOfNothing } from "@florin/ledger/src/domain/progress.ts";
import type { PostBatch } from "@florin/ledger/src/store/post-batch.ts";
import { DatabaseFault } from "@florin/runtime/postgres";
import type { Life } from "../engine/life.ts";
import type { Faults } from "../faults.ts";
import { createQuery, type DatabaseWeather } from "./log-access.ts";
import { connectionLost, databaseAway, statementRefused } from "./log-store.ts";

/** Milliseconds. */
const commitMs = { min: 0.5, max: 5 };

export class BooksStore {
  progress: Progress = progressOfNothing;
  readonly accounts = new Map<string, bigint>();
  readonly balances = new Map<bigint, Balance>();
  readonly transfers = new Map<string, Transfer>();
  #nextAccount = 1n;

  accountId(key: string): bigint {
    const known = this.accounts.get(key);
    if (known !== undefined) return known;
    const id = this.#nextAccount++;
    this.accounts.set(key, id);
    return id;
  }

  /** `post_batch` of the ledger's migrations. */
  post({ expected, through, transfers, changes, accountIds }: PostBatch): "posted" | "positions_moved" {
    if (expected.some((position, partition) => position !== this.progress[partition])) return "positions_moved";
    for (const transfer of transfers)
      if (transfer.amount <= 0n || transfer.debit === transfer.credit || this.transfers.has(transferName(transfer)))
        throw new DatabaseFault("internal", "a constraint of the simulated database was violated", {
          work: "not_done",
          cause: undefined,
          sqlState: "23505",
        });
    for (const transfer of transfers) this.transfers.set(transferName(transfer), transfer);
    for (const change of changes) {
      const id = accountIds.get(accountKey(change.account, change.currency));
      if (id === undefined) throw new AppError("internal", "an account without an id", { work: "not_done" });
      const before = this.balances.get(id) ?? zeroBalance;
      this.balances.set(id, {
        debitsPosted: before.debitsPosted + change.debitsPosted,
        creditsPosted: before.creditsPosted + change.creditsPosted,
        debitsPending: before.debitsPending + change.debitsPending,
        creditsPending: before.creditsPending + change.creditsPending,
      });
    }
    this.progress = through;
    return "posted";
  }

  balanceOf(key: string): Balance {
    const id = this.accounts.get(key);
    return (id === undefined ? undefined : this.balances.get(id)) ?? zeroBalance;
  }
}

function transferName({ paymentId, position, leg }: Transfer): string {
  return `${paymentId}/${position}/${leg}`;
}

export function createBooksAccess(o: {
  readonly life: Life;
  readonly books: BooksStore;
  readonly faults: Faults;
  readonly weather: DatabaseWeather;
}): PostingStore {
  const { life, books, faults, weather } = o;
  const { world } = life;
  const query = createQuery(o);
  return {
    readProgress: () => query(() => books.progress),
    idsOf: (accounts) =>
      query(() => new Map(accounts.map(({ name, currency }) => [accountKey(name, currency), books.accountId(accountKey(name, currency))]))),
    postBatch: (batch) =>
      life.promise((resolve, reject) => {
        const isLostBefore = faults.fires("answer_lost_before_commit");
        world.schedule(world.random.between(commitMs.min, commitMs.max), () => {
          if (weather.isAway) return reject(databaseAway());
          if (faults.fires("statement_refused")) return reject(statementRefused());
          if (isLostBefore || (life.isOver && world.random.chance(0.5))) return reject(connectionLost());
          let result: "posted" | "positions_moved";
          try {
            result = books.post(batch);
          } catch (thrown) {
            return reject(thrown);
          }
          if (faults.fires("answer_lost_after_commit")) reject(connectionLost());
          else resolve(result);
        });
      }),
  };
}
