/**
 * Bugs that no run can notice, because another layer holds: each is worth having, and neither carries the promise alone.
 *
 * Not part of the table. `npm run simulate:mutants -- --guarded` plants them too, and says where the second layer has gone: then the bug is
 * caught, and belongs into the catalogue.
 */
import type { Mutant } from "../mutant.ts";

export type GuardedTwice = Mutant & { /** What holds instead. */ readonly guard: string };

export const guardedTwice: readonly GuardedTwice[] = [
  {
    name: "claim-released-on-any-exception",
    about: "a claim is given back although the intent may be in the log",
    guard: "the key's row in the log grants; Redis only remembers",
    file: "switch/src/app/run-operation.ts",
    find: "if (claim !== undefined && !mayBeWritten) parts.claims.release(claim);",
    replace: "if (claim !== undefined) parts.claims.release(claim);",
  },
  {
    name: "no-queue-per-payment",
    about: "commands on one payment run side by side within a process",
    guard: "the primary key (payment, seq): who was slower decides again",
    file: "switch/src/app/payment-queues.ts",
    find: "const mine = queue.last.then(work, work);",
    replace: "const mine = work();",
  },
  {
    name: "neighbours-share-a-row",
    about: "two members of one batch that want the same step of a payment both go to the database",
    guard: "the queue per payment keeps them apart, and the primary key refuses the second",
    file: "switch/src/store/append-batch.ts",
    find: `const row = ["row", \`\${payment.id}/\${payment.version}\`] as const;`,
    replace: `const row = ["row", \`\${payment.id}/\${payment.version}/\${claim?.key}\`] as const;`,
  },
  {
    name: "outcome-given-up-at-the-first-fault",
    about: "an outcome that the database did not take at once is not tried again",
    guard: "recovery finds the intent without an outcome and asks",
    file: "switch/src/app/record-outcome.ts",
    find: "if (!isWorthRepeating(thrown) || ++faults >= faultsMax) throw thrown;",
    replace: "if (!isWorthRepeating(thrown) || ++faults > 0) throw thrown;",
  },
  {
    name: "recovery-without-a-lease",
    about: "recovery asks about operations that are still under way",
    guard: 'an outcome is recorded once, and "not found" is not believed before 30 s',
    file: "switch/src/workers/follow-up-operations.ts",
    find: "const leaseMs = 30_000;",
    replace: "const leaseMs = 256;",
  },
  {
    name: "relay-skips-a-failed-flush",
    about: "after a failed flush the relay goes on with the next events",
    guard: "messages name the position that they go on from: consumers notice the gap and read the log",
    file: "switch/src/workers/relay.ts",
    find: `        logger.warn({ err }, "the broker takes no events; the log keeps them");
        await timing.sleep(faultPauseMs, signal);
        continue;`,
    replace: `        logger.warn({ err }, "the broker takes no events; the log keeps them");
        await timing.sleep(faultPauseMs, signal);
        position = page.throughPosition;
        continue;`,
  },
  {
    name: "bus-hands-over-twice",
    about: "the bus hands over events that its consumer has seen",
    guard: "the ledger keeps a position per partition, in the transaction of the effect",
    file: "runtime/src/bus/partition-intake.ts",
    find: "const events = offer.events.filter((event) => event.position > seen);",
    replace: "const events = [...offer.events];",
  },
  {
    name: "ledger-takes-twice",
    about: "the ledger does not drop what a batch repeats",
    guard: "the bus drops it first; a second transfer of one event would be refused by its key",
    file: "ledger/src/domain/progress.ts",
    find: "      if (position <= reached) continue;\n",
    replace: "",
  },
  {
    name: "late-approval-not-undone",
    about: "an approval that comes after its operation was called failed is left as it is at the processor",
    guard: "nothing is called failed for want of a trace before the processor was told to refuse it",
    file: "switch/src/app/record-answer.ts",
    find: `  if (said.outcome.kind === "approved" && isCalledFailed(recorded, intent.event.operationId))
    await reverseLateApproval(parts, intent, said.connector);\n`,
    replace: "",
  },
];
