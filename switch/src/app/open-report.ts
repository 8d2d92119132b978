/**
 * What is open, for operators: every operation with an intent and no final outcome, how old, how much money, and how long others took.
 *
 * Read from the log, so that any replica can answer. Recovery's checkpoints are its oldest open positions: nothing before them is open.
 */
import type { OpenOperation, Payment } from "../domain/payment/index.ts";
import type { LogReader, Which } from "../store/log-reader.ts";
import type { LogTail } from "../store/log-tail.ts";
import type { Found, OpenOperations } from "../store/open-operations.ts";
import { followUpCheckpoints, type WorkerCheckpoints } from "../store/worker-checkpoints.ts";
import { type OperationAge, operationAgeOf, operationAges } from "./operation-age.ts";

export type ReportParts = {
  readonly reader: Pick<LogReader, "newest">;
  readonly tail: LogTail;
  readonly operations: OpenOperations;
  readonly checkpoints: WorkerCheckpoints;
  readonly now: () => number;
};

export type OpenReport = {
  readonly asOfMs: number;
  /** Oldest first, at most as many as were asked for. */
  readonly oldest: readonly Open[];
  readonly count: number;
  /** False: there are more than a report looks at. */
  readonly isComplete: boolean;
  readonly ages: ReadonlyMap<OperationAge, number>;
  /** Minor units by currency. */
  readonly moneyAtRisk: ReadonlyMap<string, bigint>;
  readonly resolution: { readonly count: number; readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
};

export type Open = { readonly payment: Payment; readonly operation: OpenOperation };

/** What one report looks at, at most. */
const paymentsMax = 20_000;
const windowsMax = 64;
const windowLimit = 50_000;
const paymentsAtOnce = 500;
const resolutionsMax = 1_000;

export async function reportOpen(parts: ReportParts, o: { readonly limit: number }): Promise<OpenReport> {
  const candidates = await findCandidates(parts);
  const open = (await openOf(parts.reader, candidates.payments)).sort(
    (left, right) => left.operation.startedAtMs - right.operation.startedAtMs,
  );
  const asOfMs = parts.now();
  const ages = new Map<OperationAge, number>(operationAges.map(({ age }) => [age, 0]));
  const moneyAtRisk = new Map<string, bigint>();
  for (const { payment, operation } of open) {
    const age = operationAgeOf(asOfMs - operation.startedAtMs);
    ages.set(age, (ages.get(age) ?? 0) + 1);
    moneyAtRisk.set(payment.currency, (moneyAtRisk.get(payment.currency) ?? 0n) + operation.amount);
  }
  const resolution = summaryOf(await parts.operations.latestResolutions(resolutionsMax));
  return { asOfMs, oldest: open.slice(0, o.limit), count: open.length, isComplete: candidates.isComplete, ages, moneyAtRisk, resolution };
}

type Candidates = { readonly payments: readonly Which[]; readonly isComplete: boolean };

/** Payments that had something open: most of them have been decided since. */
async function findCandidates({ tail, operations, checkpoints }: ReportParts): Promise<Candidates> {
  const decided = await tail.look();
  const payments = new Map<string, Which>();
  const take = ({ operations: found }: Found) => {
    for (const { which } of found) payments.set(which.id, which);
  };
  const isRead = async (source: keyof typeof followUpCheckpoints): Promise<boolean> => {
    let afterPosition = await checkpoints.read(followUpCheckpoints[source]);
    for (let windows = 0; afterPosition < decided; windows++) {
      if (windows === windowsMax || payments.size >= paymentsMax) return false;
      const found = await operations[source]({ afterPosition, throughPosition: decided, limit: windowLimit });
      take(found);
      afterPosition = found.throughPosition;
    }
    return true;
  };
  const areRead = await Promise.all([isRead("unsettled"), isRead("abandoned")]);
  // Last, because there may be many of them, and nobody's money is in doubt.
  areRead.push(await isRead("accepted"));
  return { payments: [...payments.values()], isComplete: areRead.every(Boolean) };
}

async function openOf(reader: ReportParts["reader"], payments: readonly Which[]): Promise<Open[]> {
  const open: Open[] = [];
  for (let start = 0; start < payments.length; start += paymentsAtOnce) {
    const newest = await Promise.all(payments.slice(start, start + paymentsAtOnce).map((which) => reader.newest(which)));
    for (const payment of newest)
      if (payment !== undefined) for (const operation of payment.openOperations) open.push({ payment, operation });
  }
  return open;
}

function summaryOf(durationsMs: readonly number[]): OpenReport["resolution"] {
  const sorted = durationsMs.toSorted((left, right) => left - right);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
