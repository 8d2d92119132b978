/**
 * The reference model: a sequential, naive account of what a payment switch may have done, written without a look into the switch.
 *
 * It reads four witnesses of a finished run (what merchants were told, the committed log, the acquirer's books, the ledger's books) and
 * says where they contradict each other or the promises of docs/ARCHITECTURE.md, "Never twice, never lost". It decides nothing by itself:
 * it replays the log row by row with additions and subtractions, and compares.
 */

import type { History, Kind, LogRow, Sums, Told } from "./history.ts";

type Operation = { readonly kind: Kind; readonly amount: bigint; readonly label: string; verdict: "open" | "done" | "accepted" | "failed" };
type Account = { -readonly [Key in keyof Sums]: bigint };

type Payment = {
  rows: LogRow[];
  authorized: bigint;
  captured: bigint;
  refunded: bigint;
  released: bigint;
  readonly operations: Map<string, Operation>;
  /** Reversals that were begun, by what they undo, and whether they have ended. */
  readonly reversals: Map<string, { readonly id: string; hasEnded: boolean }>;
};

type Complain = (violation: string) => void;

const intents: Readonly<Record<string, Kind>> = {
  authorization_requested: "authorize",
  capture_requested: "capture",
  void_requested: "void",
  refund_requested: "refund",
};

/** Ends one attempt without the money and begins the next one. */
const onward = "authorization_rerouted";

const none: Sums = { debitsPosted: 0n, creditsPosted: 0n, debitsPending: 0n, creditsPending: 0n };

/** Everything that is wrong, in words; empty when nothing is. */
export function check(history: History): readonly string[] {
  const violations: string[] = [];
  const complain: Complain = (violation) => violations.push(violation);
  const payments = new Map<string, Payment>();
  const operations = new Map<string, Operation>();
  const payables = new Map<string, Account>();
  const receivables = new Map<string, Account>();
  const references = new Map<string, string>();
  for (const row of history.log) {
    checkMarks(row, references, complain);
    const payment = paymentOf(payments, row, complain);
    const move = replay(payment, row, operations, complain);
    book(accountOf(payables, `${row.merchantId} ${row.currency}`), move, "credit");
    book(accountOf(receivables, row.currency), move, "debit");
  }
  for (const payment of payments.values()) checkEnded(payment, history.awaitsFile, complain);
  checkEffects(history, operations, complain);
  checkTold(history, payments, operations, complain);
  compareBooks("payable", payables, history.payables, complain);
  compareBooks("receivable", receivables, history.receivables, complain);
  return violations;
}

/** What a row says of itself beside its money. `references`: the payment that had each unique reference first. */
function checkMarks(row: LogRow, references: Map<string, string>, complain: Complain): void {
  const { paymentId, sequence, uniqueReference, isUnmarked, resolvesByMs, openOperations } = row;
  const first = references.get(uniqueReference) ?? paymentId;
  if (uniqueReference !== "") references.set(uniqueReference, first);
  if (first !== paymentId) complain(`P2 reference ${uniqueReference} has two payments: ${first} and ${paymentId}`);
  if (isUnmarked) complain(`P10 ${paymentId}/${sequence} was made without the cache and is not marked so`);
  if (resolvesByMs === 0 && openOperations.some(({ isUnknown }) => isUnknown))
    complain(`P3 ${paymentId}/${sequence} ${row.type}: something is unknown and nobody says until when`);
}

function paymentOf(payments: Map<string, Payment>, row: LogRow, complain: Complain): Payment {
  let payment = payments.get(row.paymentId);
  if (payment === undefined) {
    payment = { rows: [], authorized: 0n, captured: 0n, refunded: 0n, released: 0n, operations: new Map(), reversals: new Map() };
    payments.set(row.paymentId, payment);
  }
  if (row.sequence !== payment.rows.length + 1)
    complain(`P8 ${row.paymentId}: row ${row.sequence} comes after ${payment.rows.length} rows, in order of position`);
  payment.rows.push(row);
  return payment;
}

/** How a row moves money: what issuers hold for us, and what has changed hands. Minor units, signed. */
type Move = { readonly held: bigint; readonly unheld: bigint; readonly taken: bigint; readonly givenBack: bigint };
const still: Move = { held: 0n, unheld: 0n, taken: 0n, givenBack: 0n };

/** One row after the others: what it may do, and what it does to the totals. */
function replay(payment: Payment, row: LogRow, all: Map<string, Operation>, complain: Complain): Move {
  const kind = row.type === onward ? "authorize" : intents[row.type];
  if (row.type === onward) giveUp(payment, row, complain);
  if (kind !== undefined) begin(payment, row, kind, all, complain);
  const move = kind === undefined ? settle(payment, row, complain) : still;
  const { totals } = row;
  for (const name of ["authorized", "captured", "refunded", "released"] as const)
    if (payment[name] !== totals[name])
      complain(`P5 ${row.paymentId}/${row.sequence} ${row.type}: ${name} is ${totals[name]}, by the model ${payment[name]}`);
  if (payment.captured + payment.released > payment.authorized) complain(`P5 ${row.paymentId}: captured and released exceed authorized`);
  if (payment.refunded > payment.captured || payment.refunded < 0n) complain(`P5 ${row.paymentId}: refunded exceeds captured`);
  return move;
}

function begin(payment: Payment, row: LogRow, kind: Kind, all: Map<string, Operation>, complain: Complain): void {
  if (all.has(row.operationId)) complain(`I1 ${row.operationId} was begun twice`);
  const operation: Operation = { kind, amount: row.amount, label: row.label, verdict: "open" };
  const reserved = (of: Kind): bigint => {
    let sum = 0n;
    for (const one of payment.operations.values()) if (one.kind === of && one.verdict === "open") sum += one.amount;
    return sum;
  };
  const free =
    kind === "capture" || kind === "void"
      ? payment.authorized - payment.captured - payment.released - reserved("capture")
      : payment.captured - payment.refunded - reserved("refund");
  if (kind !== "authorize" && row.amount > free) complain(`P5 ${row.operationId}: ${kind} of ${row.amount} was let in, ${free} were free`);
  if (kind === "authorize" && payment.authorized > 0n) complain(`I1 ${row.paymentId} was authorized again`);
  payment.operations.set(row.operationId, operation);
  all.set(row.operationId, operation);
}

/** The attempt before this one is over, and has not failed or succeeded before. Nobody goes on from what nobody knows. */
function giveUp({ operations }: Payment, { operationId, follows }: LogRow, complain: Complain): void {
  const earlier = operations.get(follows);
  if (earlier?.verdict !== "open")
    complain(`I1 ${operationId} follows ${follows}, which is ${earlier?.verdict ?? "nothing that was begun"}`);
  else earlier.verdict = "failed";
}

function settle(payment: Payment, row: LogRow, complain: Complain): Move {
  const { type, amount } = row;
  if (type.startsWith("reversal_")) {
    undo(payment, row, complain);
    return still;
  }
  if (type === "payment_created" || type === "authorization_blocked") return still;
  if (type === "authorization_expired") {
    payment.released += amount;
    return { ...still, unheld: amount };
  }
  const operation = payment.operations.get(row.operationId);
  if (operation === undefined) {
    complain(`I1 ${type} of ${row.operationId}, which was never begun`);
    return still;
  }
  const isOver = operation.verdict === "done" || operation.verdict === "failed";
  if (isOver) complain(`I2 ${type} of ${row.operationId}, which is decided already`);
  const wasAccepted = operation.verdict === "accepted";
  switch (type) {
    case "payment_authorized":
      operation.verdict = "done";
      payment.authorized += operation.amount;
      return { ...still, held: operation.amount };
    case "payment_authorized_and_captured":
      operation.verdict = "done";
      payment.authorized += operation.amount;
      payment.captured += operation.amount;
      return { ...still, taken: operation.amount };
    case "payment_captured":
      operation.verdict = "done";
      payment.captured += operation.amount;
      return { ...still, unheld: operation.amount, taken: operation.amount };
    case "payment_voided":
      operation.verdict = "done";
      payment.released += operation.amount;
      return { ...still, unheld: operation.amount };
    case "refund_accepted":
    case "refund_succeeded":
      operation.verdict = type === "refund_succeeded" ? "done" : "accepted";
      if (wasAccepted) return still;
      payment.refunded += operation.amount;
      return { ...still, givenBack: operation.amount };
    case "refund_failed":
      operation.verdict = "failed";
      if (!wasAccepted) return still;
      payment.refunded -= operation.amount;
      return { ...still, taken: operation.amount };
    default:
      if (!/_(unknown|ambiguous)$/.test(type)) operation.verdict = "failed";
      return still;
  }
}

/** What was called failed and is undone: once, and it changes nothing of the payment. */
function undo({ operations, reversals }: Payment, { type, operationId, undoes }: LogRow, complain: Complain): void {
  if (type === "reversal_requested") {
    if (operations.get(undoes)?.verdict !== "failed") complain(`I3 ${operationId} undoes ${undoes}, which has not failed`);
    if (reversals.has(undoes)) complain(`I3 ${undoes} is undone twice`);
    reversals.set(undoes, { id: operationId, hasEnded: false });
    return;
  }
  const begun = [...reversals.values()].find(({ id, hasEnded }) => id === operationId && !hasEnded);
  if (begun === undefined) complain(`I3 ${type} of ${operationId}, which is not under way`);
  else begun.hasEnded = true;
}

/** Liveness and P7: whatever was begun has ended, or its end is promised. */
function checkEnded({ rows, operations, reversals }: Payment, awaitsFile: boolean, complain: Complain): void {
  const newest = rows.at(-1);
  for (const { id, hasEnded } of reversals.values()) if (!hasEnded) complain(`liveness: reversal ${id} has not ended`);
  for (const [id, { kind, verdict }] of operations) {
    if (verdict !== "open" && verdict !== "accepted") continue;
    const open = newest?.openOperations.find((one) => one.id === id);
    if (open === undefined) complain(`P7 ${kind} ${id} has no outcome and is not among the open operations`);
    else if (awaitsFile && open.isAccepted) continue;
    else if (!open.isUnknown || newest?.resolvesByMs === 0) complain(`liveness: ${kind} ${id} is ${verdict} and nobody says until when`);
  }
}

function checkEffects({ effects, awaitsFile }: History, operations: ReadonlyMap<string, Operation>, complain: Complain): void {
  const chargedBy = new Map<string, string>();
  const known = new Map(effects.map((effect) => [effect.reference, effect]));
  for (const { kind, reference, amount, isApproved, isReversed, state } of effects) {
    const operation = operations.get(reference);
    if (operation === undefined) {
      complain(`I1 the acquirer knows ${kind} ${reference}, the log does not`);
      continue;
    }
    if (operation.kind !== kind || (kind !== "void" && operation.amount !== amount))
      complain(`I1 the acquirer did ${kind} ${amount} for ${reference}, the log says ${operation.kind} ${operation.amount}`);
    const isDone = isApproved && state !== "failed" && !isReversed;
    if (!isDone) continue;
    const other = chargedBy.get(operation.label);
    if (other !== undefined) complain(`I1 key ${operation.label} has two effects: ${other} and ${reference}`);
    chargedBy.set(operation.label, reference);
    if (operation.verdict === "failed") complain(`I3 ${kind} ${reference} failed by the log, and the acquirer did it`);
    if (operation.verdict === "accepted" && state === "final" && !awaitsFile)
      complain(`liveness: refund ${reference} is final at the acquirer only`);
  }
  for (const [reference, { kind, verdict }] of operations) {
    if (verdict !== "done" && verdict !== "accepted") continue;
    const effect = known.get(reference);
    if (effect?.isApproved !== true || (effect.state === "failed" && !(awaitsFile && verdict === "accepted")))
      complain(`I2 ${kind} ${reference} succeeded by the log, the acquirer did not do it`);
    else if (effect.isReversed) complain(`I2 ${kind} ${reference} succeeded by the log, and the acquirer has undone it`);
  }
}

function checkTold(
  history: History,
  payments: ReadonlyMap<string, Payment>,
  operations: ReadonlyMap<string, Operation>,
  complain: Complain,
): void {
  const firstTold = new Map<string, Told>();
  const reversed = new Set(history.effects.filter(({ isReversed }) => isReversed).map(({ reference }) => reference));
  const done = new Map(
    history.effects.filter((effect) => effect.isApproved && effect.state !== "failed").map((effect) => [effect.reference, effect]),
  );
  for (const told of history.told) {
    if (told.version === 0) continue;
    const first = firstTold.get(told.label);
    if (first === undefined) firstTold.set(told.label, told);
    else if (first.body !== told.body)
      complain(`P2 key ${told.label} was answered to two bodies: ${describe(first)}, then ${describe(told)}`);
    else if (first.version !== told.version || first.operationId !== told.operationId || first.code !== told.code)
      complain(`P2 key ${told.label} was answered ${describe(first)}, then ${describe(told)}`);
    const row = payments.get(told.paymentId)?.rows[told.version - 1];
    if (row === undefined || row.operationId !== told.operationId) {
      complain(`I2 key ${told.label} was answered ${describe(told)}, which the log does not have`);
      continue;
    }
    const operation = operations.get(told.operationId);
    if (operation === undefined) continue;
    if (told.isRefused && done.has(told.operationId) && !reversed.has(told.operationId))
      complain(`I3 key ${told.label} was told ${told.code}, and the acquirer did ${operation.kind} ${told.operationId}`);
    if (!told.isRefused && operation.verdict === "failed" && operation.kind !== "refund")
      complain(`I2 key ${told.label} was told success, and the log says ${operation.kind} ${told.operationId} failed`);
  }
}

function describe({ isRefused, code, paymentId, version }: Told): string {
  return `${isRefused ? code : "success"} by ${paymentId}/${version}`;
}

function accountOf(accounts: Map<string, Account>, name: string): Account {
  let account = accounts.get(name);
  if (account === undefined) {
    account = { ...none };
    accounts.set(name, account);
  }
  return account;
}

/** A hold is pending until it is taken or let go; `side`: where this account grows. */
function book(account: Account, { held, unheld, taken, givenBack }: Move, side: "debit" | "credit"): void {
  const [up, down] = side === "debit" ? (["debits", "credits"] as const) : (["credits", "debits"] as const);
  account[`${up}Pending`] += held;
  account[`${down}Pending`] += unheld;
  account[`${up}Posted`] += taken;
  account[`${down}Posted`] += givenBack;
}

/** P4 and P6: the ledger's books are the model's, so they balance where the model's do, which they do by construction. */
function compareBooks(what: string, expected: ReadonlyMap<string, Sums>, kept: ReadonlyMap<string, Sums>, complain: Complain): void {
  for (const name of new Set([...expected.keys(), ...kept.keys()])) {
    const [left, right] = [expected.get(name) ?? none, kept.get(name) ?? none];
    for (const sum of ["debitsPosted", "creditsPosted", "debitsPending", "creditsPending"] as const)
      if (left[sum] !== right[sum]) complain(`P4 ${what} ${name}: ${sum} is ${right[sum]} in the books, ${left[sum]} by the log`);
  }
}
