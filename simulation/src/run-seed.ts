/** One run: a world from a seed, merchants in it, faults until they stop, then time to recover, then the check. */
import { accountKey } from "@florin/ledger/src/domain/balance.ts";
import { partitionOf } from "@florin/runtime/bus";
import { createWorld } from "./engine/world.ts";
import type { FaultKind } from "./faults.ts";
import { buildHouse, type House } from "./house/house.ts";
import { startLedger } from "./house/ledger-process.ts";
import { startReplica } from "./house/switch-replica.ts";
import { type Crowd, startMerchants } from "./merchants.ts";
import type { Effect, LogRow, Sums } from "./model/history.ts";
import { check } from "./model/reference-model.ts";
import { startWeather } from "./weather.ts";

export type RunOptions = { readonly seed: number; readonly payments: number; readonly onNote?: (line: string) => void };

export type RunResult = {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly traceHash: string;
  readonly fired: ReadonlyMap<FaultKind, number>;
  readonly events: number;
  readonly rows: number;
  /** Simulated milliseconds from the end of the faults to the end of all work. */
  readonly recoveryMs: number;
};

/** Milliseconds. */
const recoveryMsMax = 30 * 60_000;
const askEveryMs = 500;

export async function runSeed({ seed, payments, onNote }: RunOptions): Promise<RunResult> {
  const world = createWorld(seed, onNote);
  const house = buildHouse(world);
  const replicas = [startReplica(house, "switch-1"), startReplica(house, "switch-2")];
  const ledgers = [startLedger(house, replicas, "ledger-1"), startLedger(house, replicas, "ledger-2")];
  startWeather(house, replicas, ledgers);
  const crowd = startMerchants(house, replicas, payments);
  const stopAtMs = house.faults.lastForMs;
  world.schedule(stopAtMs, () => {
    house.faults.stop();
    world.note("faults_stop");
  });
  await world.run({
    isDone: () => house.faults.hasStopped && crowd.busy === 0 && isSettled(house),
    askEveryMs,
    untilMs: stopAtMs + recoveryMsMax,
  });
  const violations = [...crowd.violations, ...verdict(house, crowd)];
  const result = {
    seed,
    violations,
    traceHash: world.traceHash(),
    fired: house.faults.fired,
    events: world.eventsRun,
    rows: house.store.log.length,
    recoveryMs: world.nowMs - stopAtMs,
  };
  world.end();
  return result;
}

/** Nothing is open that anybody could decide, and the books have everything. */
function isSettled({ store, books, awaitsFile }: House): boolean {
  for (const rows of store.payments.values()) {
    const newest = rows.at(-1);
    if (newest === undefined) continue;
    const { openOperations, resolvesByMs } = newest.written.payment;
    if (openOperations.some(({ isUnknown, isAccepted }) => !(awaitsFile && (isAccepted || (isUnknown && resolvesByMs > 0))))) return false;
  }
  const last = store.log.at(-1)?.position ?? 0n;
  return store.oldestRunning > 0n && hasPosted(books.progress, store.log, last);
}

function hasPosted(progress: readonly bigint[], log: House["store"]["log"], last: bigint): boolean {
  if (progress.every((position) => position >= last)) return true;
  // A partition without news stays behind: what counts is that none of its rows does.
  return log.every(({ paymentId, position }) => position <= (progress[partitionOf(paymentId)] as bigint));
}

function verdict(house: House, crowd: Crowd): readonly string[] {
  const { store, acquirers, awaitsFile, books } = house;
  const sums = (names: (account: string, currency: string) => string | undefined): ReadonlyMap<string, Sums> => {
    const found = new Map<string, Sums>();
    for (const key of books.accounts.keys()) {
      const [currency = "", account = ""] = key.split(" ");
      const name = names(account, currency);
      // What processors owe is one sum: each has an account of its own.
      if (name !== undefined) found.set(name, plus(found.get(name), books.balanceOf(accountKey(account, currency))));
    }
    return found;
  };
  const waiting = crowd.waitingFor();
  return [
    ...(crowd.busy > 0 ? [`P7 ${crowd.busy} clients have no answer: ${waiting.slice(0, 5).join(", ")}`] : []),
    ...check({
      log: logOf(house),
      effects: [...acquirers.values()].flatMap((acquirer) => [...acquirer.books.values()].map((booked): Effect => booked)),
      told: crowd.told,
      awaitsFile,
      payables: sums((account, currency) => {
        const merchant = /^test\/merchant\/(.+)\/payable$/.exec(account)?.[1];
        return merchant && `${merchant} ${currency}`;
      }),
      receivables: sums((account, currency) => (account.startsWith("test/processor/") ? currency : undefined)),
    }),
    ...(store.log.length === 0 ? ["nothing happened"] : []),
  ];
}

function plus(sum: Sums | undefined, more: Sums): Sums {
  if (sum === undefined) return more;
  return {
    debitsPosted: sum.debitsPosted + more.debitsPosted,
    creditsPosted: sum.creditsPosted + more.creditsPosted,
    debitsPending: sum.debitsPending + more.debitsPending,
    creditsPending: sum.creditsPending + more.creditsPending,
  };
}

function logOf({ store, madeWithoutCache }: House): readonly LogRow[] {
  return store.log.map((row) => {
    const { payment, event } = row.written;
    return {
      paymentId: row.paymentId,
      merchantId: row.merchantId,
      sequence: row.sequence,
      position: row.position,
      type: row.type,
      operationId: row.operationId,
      amount: event.amount,
      currency: payment.currency,
      label: event.origin.requestId,
      totals: payment,
      openOperations: payment.openOperations,
      resolvesByMs: payment.resolvesByMs,
      follows: event.details["after"] ?? "",
      undoes: event.details["of"] ?? "",
      uniqueReference: payment.uniqueReference ? `${row.merchantId} ${payment.merchantReference}` : "",
      isUnmarked: madeWithoutCache.has(row.paymentId) && !payment.idempotencyDegraded,
    };
  });
}
