/** Books: every event once, on the right side, with the right amount. */
import type { Mutant } from "../mutant.ts";

const posting = "ledger/src/domain/posting.ts";

export const ledgerMutants: readonly Mutant[] = [
  {
    name: "refund-on-the-wrong-side",
    about: "a refund is posted with its sides swapped",
    file: posting,
    find: `refund: { debit: "payable", layer: "posted" },`,
    replace: `refund: { debit: "receivable", layer: "posted" },`,
  },
  {
    name: "release-in-the-wrong-layer",
    about: "a release is posted as money that moved",
    file: posting,
    find: `release: { debit: "payable", layer: "pending" },`,
    replace: `release: { debit: "payable", layer: "posted" },`,
  },
  {
    name: "partial-refund-posted-as-total",
    about: "a second partial refund is posted with the sum of both",
    file: posting,
    find: "const amount = event.after.refunded - event.before.refunded;",
    replace: "const amount = event.after.refunded === event.before.refunded ? 0n : event.after.refunded;",
  },
  {
    name: "partial-capture-releases-all",
    about: "a partial capture releases the whole hold in the books",
    file: posting,
    find: `    { purpose: "release", amount },\n`,
    replace: `    { purpose: "release", amount: event.after.authorized },\n`,
  },
  {
    name: "void-releases-all",
    about: "a void after a partial capture releases the whole hold in the books",
    file: posting,
    find: `return [{ purpose: "release", amount: event.amount }];`,
    replace: `return [{ purpose: "release", amount: event.after.authorized }];`,
  },
  {
    name: "sale-not-posted",
    about: "a payment authorized and captured in one message is not posted",
    file: posting,
    find: "payment_authorized_and_captured: sale,",
    replace: "payment_authorized_and_captured: nothing,",
  },
  {
    name: "failed-refund-not-posted",
    about: "a refund that fails after it was accepted is not taken back in the books",
    file: posting,
    find: "refund_failed: refundFailure,",
    replace: "refund_failed: nothing,",
  },
  {
    name: "balance-updated-twice",
    about: "an account that is debited and credited in one batch counts its debit twice",
    file: "ledger/src/domain/balance.ts",
    find: "      debit.debitsPosted += transfer.amount;",
    replace: "      debit.debitsPosted += changes.size > 2 ? 2n * transfer.amount : transfer.amount;",
  },
  {
    name: "later-batch-overtakes",
    about: "after a batch that could not be posted the bookkeeper goes on with the next one",
    file: "ledger/src/app/bookkeeper.ts",
    find: "        hasFailed = true;\n",
    replace: "",
  },
  {
    name: "positions-kept-after-a-fault",
    about: "after a lost answer the poster goes on from the positions that it remembers",
    file: "ledger/src/app/post-batches.ts",
    find: "          known = undefined;\n",
    replace: "",
  },
  {
    name: "positions-not-compared",
    about: "a transaction that was worked out against old positions is posted all the same, and no key stops its transfers",
    file: "simulation/src/fakes/books-store.ts",
    find: `if (expected.some((position, partition) => position !== this.progress[partition])) return "positions_moved";`,
    replace: "",
    and: [
      {
        file: "simulation/src/fakes/books-store.ts",
        find: " || this.transfers.has(transferName(transfer)))",
        replace: ")",
      },
    ],
  },
  {
    name: "positions-not-stored",
    about: "the consumer does not remember how far it has come",
    file: "simulation/src/fakes/books-store.ts",
    find: "    this.progress = through;\n",
    replace: "",
  },
  {
    name: "moved-positions-count-as-posted",
    about: "a batch that another instance has overtaken counts as posted",
    file: "ledger/src/app/post-batches.ts",
    find: `if (result === "positions_moved") return undefined;`,
    replace: "",
  },
  {
    name: "batch-posted-in-part",
    about: "the position moves to the end of a batch, its last event is left out",
    file: "ledger/src/domain/progress.ts",
    find: "      if (position <= reached) continue;\n",
    replace: "      if (position <= reached || (position === batch.throughPosition && batch.events.length > 3)) continue;\n",
  },
];
