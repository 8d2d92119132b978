/** After faults: waits until every payment of theirs has ended, then compares what merchants were told with all books, fault by fault. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Answers, Told } from "../verify/answers.ts";
import { type Books, readBooks, readKeys, readLedgerSums } from "../verify/books.ts";
import { type Check, compareRun, type Figure } from "../verify/compare.ts";
import { compareKeys, compareLedgerSums, type KeyTold } from "../verify/compare-keys.ts";
import type { DrillStack } from "./drill-stack.ts";
import { type Call, decisionOf, meaningOf, wasUnsure } from "./load/call.ts";
import type { Load } from "./load/load.ts";
import type { Struck } from "./strike-fault.ts";

export type FaultReport = {
  readonly struck: Struck;
  readonly operations: number;
  readonly requests: number;
  /** Keys for which an answer was awaited in vain, or said that the outcome is not known. */
  readonly unknowns: number;
  /** Those of them that have a final answer. */
  readonly resolved: number;
  readonly differences: Readonly<Record<Figure, number>>;
  readonly examples: readonly string[];
};

export type SettleOptions = {
  readonly stack: DrillStack;
  readonly struck: readonly Struck[];
  /** Begins every key of the drill. */
  readonly drillId: string;
  readonly startedAtMs: number;
  readonly signal: AbortSignal;
};

/** An intent is left alone for 30 s, then asked about 1, 2, 4, 8, 16 s apart: two minutes are twice that. */
const settleMs = 120_000;
const patienceMs = 60_000;
const pauseMs = 1_000;
const clockSlackMs = 5_000;
const examplesMax = 8;

export async function settle(o: SettleOptions): Promise<readonly FaultReport[]> {
  const deadlineMs = performance.now() + settleMs;
  await Promise.all(o.struck.map(({ load }) => load.end(Math.max(1, deadlineMs - performance.now()))));
  await o.stack.removeRules();
  const patientUntilMs = performance.now() + patienceMs;
  for (;;) {
    const checks = await compareAll(o);
    const isRight = [...checks.values()].flat().every(({ differences }) => differences === 0);
    if (isRight || performance.now() > patientUntilMs) return o.struck.map((one) => reportOf(one, checks.get(one) ?? []));
    await sleep(pauseMs, undefined, { signal: o.signal });
  }
}

/** Checks of each fault's own payments. What belongs to no payment of theirs is told of the last one. */
async function compareAll({ stack, struck, drillId, startedAtMs }: SettleOptions): Promise<ReadonlyMap<Struck, readonly Check[]>> {
  const window = { runId: drillId, startedAtMs: startedAtMs - clockSlackMs, endedAtMs: Date.now() + clockSlackMs };
  const books = await readBooks(stack.up, window);
  const keys = await readKeys(stack.up, { runId: drillId, merchantId: stack.merchantId });
  const rest = compareLedgerSums(await readLedgerSums(stack.up));
  const entries = struck.map((one): [Struck, readonly Check[]] => {
    const own = booksOf(books, one.load.name);
    const told = new Map(one.load.calls.map((call) => [call.key, keyTold(call)]));
    return [one, [...compareRun(answersOf(one.load), own), ...compareKeys(told, { books: own, keys }), readsOf(one.load)]];
  });
  const last = entries.at(-1);
  if (last !== undefined) last[1] = [...last[1], rest, ...strayCharges(books)];
  return new Map(entries);
}

/** The payments that were made under the keys of these merchants. */
function booksOf(books: Books, name: string): Books {
  const log = new Map([...books.log].filter(([, { reference }]) => reference.startsWith(`${name}-`)));
  const own = <Value>(all: ReadonlyMap<string, Value>) => new Map([...all].filter(([id]) => log.has(id)));
  return { log, acquirer: own(books.acquirer), ledger: own(books.ledger) };
}

/** Charges of payments that the log does not know at all have no merchant. */
function strayCharges(books: Books): readonly Check[] {
  const nobody: Answers = { payments: new Map(), accepted: {}, refused: {}, unsure: {} };
  return compareRun(nobody, { ...books, ledger: new Map() }).filter(({ name }) => name === "every charge of the acquirer is in the log");
}

function keyTold(call: Call): KeyTold {
  const yes = call.answers.filter((answer) => meaningOf(answer) === "yes");
  return {
    operation: call.operation,
    paymentId: call.paymentId,
    differentYes: new Set(yes.map(({ digest }) => digest)).size,
    isYes: yes.length > 0,
    isNo: call.answers.some((answer) => meaningOf(answer) === "no"),
  };
}

function answersOf(load: Load): Answers {
  const payments = new Map<string, Told>();
  for (const call of load.calls) {
    const { paymentId, operation, amount } = call;
    if (paymentId === undefined || operation === "void") continue;
    const told = payments.get(paymentId) ?? {
      authorized: 0,
      captured: 0,
      captures: 0,
      refunded: 0,
      refunds: 0,
      unsureCaptured: 0,
      unsureRefunded: 0,
    };
    payments.set(paymentId, told);
    const decision = decisionOf(call);
    if (decision === "yes") addTold(told, operation, amount);
    else if (decision === undefined && operation === "capture") told.unsureCaptured += amount;
    else if (decision === undefined && operation === "refund") told.unsureRefunded += amount;
  }
  return { payments, accepted: {}, refused: {}, unsure: {} };
}

function addTold(told: Told, operation: "authorize" | "capture" | "refund", amount: number): void {
  if (operation === "authorize") told.authorized += amount;
  else if (operation === "capture") {
    told.captured += amount;
    told.captures += 1;
  } else {
    told.refunded += amount;
    told.refunds += 1;
  }
}

function readsOf({ badReads }: Load): Check {
  const examples = badReads.map(({ key, words }) => `${key} ${words}`);
  return { name: "a read shows what was told", figure: "lost", compared: badReads.length, differences: badReads.length, examples };
}

function reportOf(struck: Struck, checks: readonly Check[]): FaultReport {
  const { calls } = struck.load;
  const unsure = calls.filter(wasUnsure);
  const sum = (figure: Figure) => checks.filter((one) => one.figure === figure).reduce((total, one) => total + one.differences, 0);
  return {
    struck,
    operations: calls.length,
    requests: calls.reduce((total, { answers }) => total + answers.length, 0),
    unknowns: unsure.length,
    resolved: unsure.filter((call) => decisionOf(call) !== undefined).length,
    differences: { lost: sum("lost"), doubled: sum("doubled"), unbalanced: sum("unbalanced"), open: sum("open") },
    examples: checks.flatMap(({ name, examples }) => examples.map((words) => `${name}: ${words}`)).slice(0, examplesMax),
  };
}
