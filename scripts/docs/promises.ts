/**
 * The generated part of docs/payment-lifecycle.md that says which test enforces which invariant and which printed promise.
 *
 * A test is named by its file and the beginning of its title, and has to be there: a promise whose test is gone does not stay printed.
 */
import { type Proof, proof, renderProofs } from "./proof.ts";
import { renderTable } from "./table.ts";

type Promised = { readonly name: string; readonly says: string; readonly proofs: readonly Proof[] };

const oneChargePerKey = [
  proof("loadtest/test/payment-journey.test.ts", "2,000 requests at once with one key make one charge"),
  proof("switch/test/idempotency.test.ts", "500 calls at once without Redis, over two replicas, reach the processor once"),
  proof("switch/test/idempotency.test.ts", "emptied while 200 calls with one key run, there is one charge"),
];

/** 200 seeds, 2,000 in CI: every promise that its reference model can see, under every fault at once. */
const everySeed = proof("simulation/test/simulation.test.ts", "every seed keeps every promise, and every fault has fired");

const invariants: readonly Promised[] = [
  {
    name: "1",
    says: "for one (merchant, key) at most one processor charge, across retries and crashes",
    proofs: [...oneChargePerKey, everySeed],
  },
  {
    name: "2",
    says: "a reported success is committed and flushed",
    proofs: [
      proof("switch/test/outages.test.ts", "what was answered is in the log, what was not says so, and the service goes on by itself"),
      everySeed,
    ],
  },
  {
    name: "3",
    says: "a reported failure means no charge, or one that is reversed by itself",
    proofs: [
      proof("switch/test/recovery.test.ts", "what the processor does not have it is told to refuse, before it is called failed"),
      proof("switch/test/recovery.test.ts", "is undone: the answer stays no, and the timeline says so"),
      proof("switch/test/recovery.test.ts", "is undone by recovery when the processor is away at first, also after a restart"),
      everySeed,
    ],
  },
  {
    name: "4",
    says: "no key stays locked: each ends, times out or expires",
    proofs: [
      proof("switch/test/idempotency.test.ts", "a process that died after it claimed leaves a key that is free again after its lease"),
      proof("switch/test/background.test.ts", "an intent whose process died is found after its lease, asked about and ended"),
      everySeed,
    ],
  },
];

const promises: readonly Promised[] = [
  { name: "P1", says: "a 2xx means committed and flushed", proofs: invariants[1]?.proofs ?? [] },
  {
    name: "P2",
    says: "per (merchant, key) at most one effect, one answer, replays equal to the byte",
    proofs: [
      ...oneChargePerKey,
      proof("loadtest/test/payment-journey.test.ts", "the same key gives the same bytes, another body with it is refused"),
      everySeed,
    ],
  },
  {
    name: "P3",
    says: "no answer in time means unknown, and unknown is resolved",
    proofs: [
      proof("switch/test/background.test.ts", "an unknown authorization is asked about after 1, 3, 7, 15 and 31 s, then called ambiguous"),
      proof("loadtest/test/merchant-view.test.ts", "while an outcome is not known the payment says so and until when"),
      everySeed,
    ],
  },
  {
    name: "P4",
    says: "every currency sums to zero at every commit",
    proofs: [
      proof("ledger/src/domain/posting.test.ts", "every event's transfers balance per currency and layer"),
      proof("ledger/test/rpc.test.ts", "the trial balance is balanced, line by line"),
      everySeed,
    ],
  },
  {
    name: "P5",
    says: "captured ≤ authorized, refunded ≤ captured, in any interleaving",
    proofs: [
      proof("switch/src/domain/payment/lifecycle.property.test.ts", "money adds up after every step"),
      proof("switch/test/operations.test.ts", "64 captures, refunds and voids over two replicas keep every sum"),
      proof("loadtest/test/payment-journey.test.ts", "64 clients capturing, refunding and voiding one payment never break its sums"),
      everySeed,
    ],
  },
  {
    name: "P6",
    says: "every event reaches every consumer, effects once",
    proofs: [
      proof("switch/test/payment-log.test.ts", "under many writers and slow transactions every row comes once and in order"),
      proof("ledger/test/posting.test.ts", "by instances that race leaves each event posted once"),
      proof("ledger/test/follow.test.ts", "books rebuilt from the log are the same, to the unit and to the entry"),
    ],
  },
  { name: "P7", says: "no key stays locked beyond its lease and one cycle", proofs: invariants[3]?.proofs ?? [] },
  {
    name: "P8",
    says: "the log is append-only",
    proofs: [
      proof("switch/test/payment-log.test.ts", "the application may add to the log and read it, and nothing else"),
      everySeed,
      everySeed,
    ],
  },
  {
    name: "P9",
    says: "a card number exists in the CDE only",
    proofs: [proof("loadtest/test/canary.test.ts", "the heaps of edge, switch and ledger have no card number")],
  },
  {
    name: "P10",
    says: "losing Redis, NATS or both costs speed, never money",
    proofs: [
      proof("switch/test/idempotency.test.ts", "gone in the middle of the day, payments go on and are marked"),
      proof("ledger/test/jetstream.test.ts", "events that the broker carries are posted, and those it never had are read from the log"),
      everySeed,
    ],
  },
];

export function renderPromises(): string {
  return `Enforced by:

${renderTable(["invariant", "what it says", "tests"], invariants.map(toRow))}

## What we promise

${renderTable(["promise", "what it says", "tests"], promises.map(toRow))}`;
}

function toRow({ name, says, proofs }: Promised): readonly string[] {
  return [name, says, renderProofs(proofs, "..")];
}
