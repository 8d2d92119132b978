/**
 * The life of every operation: claim, load, decide, append the intent, perform, append the outcome, remember, answer.
 *
 * The promises kept here (docs/ARCHITECTURE.md, "Never twice, never lost"):
 * - nothing is sent before its intent is committed, and only the writer of the key's row sends;
 * - an outcome that nobody knows is recorded as unknown and answered as "in flight", never as a failure;
 * - a claim is given back only where surely nothing was sent.
 *
 * What an operation decides and sends is in its own file; this one does not know captures from refunds.
 */
import { AppError, assert, required } from "@florin/kernel";
import { type Decision, findOpen, markDegraded, type Outcome, type Refusal, type Transition } from "../domain/payment/index.ts";
import type { Claim, ClaimAnswer } from "../store/claims.ts";
import type { Appended } from "../store/log-writer.ts";
import { answerFromLog, inFlight, isStale, reusedKey } from "./answer-from-log.ts";
import { answerOf, type DecideContext, type GoneOn, type Operation, type OperationAnswer, refused } from "./operation.ts";
import type { Parts } from "./parts.ts";
import { recordAnswer } from "./record-answer.ts";
import type { Recorded } from "./record-outcome.ts";

/**
 * An intent that is older is not sent any more: its process stood still, or the database took so long, and recovery, which waits for 30 s,
 * must be able to believe that nothing is sent after it has asked.
 */
const sendWithinMs = 10_000;
/** How often an operation decides again because another writer was faster. */
const conflictTriesMax = 64;
/** Intents of one operation. What goes on has a bound of its own (domain/routing/cascade.ts); this one ends a mistake there. */
const triesMax = 8;

export async function runOperation(parts: Parts, operation: Operation): Promise<OperationAnswer> {
  const { use, paymentId, counters } = operation;
  const claimed = await parts.claims.claim(use, { paymentId, counters });
  parts.crashAt("after_claim");
  switch (claimed.kind) {
    case "new":
      if (claimed.counts !== undefined) operation.counted?.(claimed.counts);
      return perform(parts, operation, { counts: claimed.counts, isDegraded: claimed.isDegraded }, claimed.claim);
    case "reused":
      return reusedKey();
    case "decided": {
      const row = await parts.reader.at({ id: claimed.paymentId, merchantId: use.merchantId }, claimed.sequence);
      // A row that the cache names and the log does not have: the cache of another database. The log decides.
      return row === undefined ? decideByLog(parts, operation) : answerOf("replayed", row);
    }
    case "running":
      return afterAnother(parts, operation, claimed);
    case "degraded":
      return decideByLog(parts, operation);
  }
}

/** Without a claim of our own: the log knows the key, or the operation runs and the key's row decides who may send. */
async function decideByLog(parts: Parts, operation: Operation): Promise<OperationAnswer> {
  return (await answerFromLog(parts, operation.use)) ?? perform(parts, operation, { counts: undefined, isDegraded: true }, undefined);
}

/**
 * Another call holds the claim. The log has the last word: who claimed may have died after its outcome was committed, and Redis would say
 * "under way" until the lease ends. What the log does not know yet is waited for, unless the claim is stale.
 */
async function afterAnother(
  parts: Parts,
  operation: Operation,
  running: Extract<ClaimAnswer, { kind: "running" }>,
): Promise<OperationAnswer> {
  if (isStale(running.startedAtMs, parts.now())) return decideByLog(parts, operation);
  const known = await answerFromLog(parts, operation.use);
  if (known !== undefined) return known;
  if (!running.isSame) return reusedKey();
  const payment = await parts.reader.newest({ id: running.paymentId, merchantId: operation.use.merchantId });
  return inFlight(parts, payment);
}

async function perform(parts: Parts, operation: Operation, context: DecideContext, claim: Claim | undefined): Promise<OperationAnswer> {
  const begun = await begin(parts, operation, context, claim);
  if (begun.kind !== "begun") return begun;
  const { intent } = begun;
  const { answer, payment } = isOpen(intent) ? await finish(parts, operation, begun) : { answer: intent, payment: intent.payment };
  if (answer === undefined) return inFlight(parts, payment);
  parts.crashAt("after_outcome_commit");
  parts.claims.remember(operation.use, { paymentId: answer.payment.id, sequence: answer.event.sequence });
  parts.crashAt("after_remember");
  const done = answerOf("done", answer);
  parts.crashAt("before_reply");
  return done;
}

/** True for an intent, false for a row that is the whole operation (a payment made, an attempt blocked). */
function isOpen({ payment, event }: Transition): boolean {
  return payment.openOperations.some(({ id }) => id === event.operationId);
}

const ended: GoneOn = { next: undefined, details: {} };

/** Sends, unless it is too late for that, and records; and once more, where the record is the intent of a next try. */
async function finish(parts: Parts, operation: Operation, begun: Begun): Promise<Recorded> {
  const { send, goOn, record } = operation;
  assert(send !== undefined && record !== undefined, "an operation with an intent sends and records");
  let { intent, decidedAtMs } = begun;
  for (let tries = 0; tries < triesMax; tries++) {
    const { operationId } = intent.event;
    const { connector } = required(findOpen(intent.payment, operationId), "the open operation of an intent");
    const isLate = parts.timing.monotonicMs() - decidedAtMs > sendWithinMs;
    const outcome: Outcome = isLate ? { kind: "not_sent", cause: "sender_late" } : await send(intent);
    parts.crashAt("after_processor_answer");
    const goneOn = goOn === undefined ? ended : await goOn(intent, outcome);
    decidedAtMs = parts.timing.monotonicMs();
    const recorded = await recordAnswer(parts, intent, { outcome, connector, nextId: goneOn.next?.attemptId }, (payment) =>
      record(payment, operationId, outcome, goneOn),
    );
    if (recorded.next === undefined) return withFirstAnswer(parts, begun.intent, recorded);
    parts.crashAt("after_reroute_commit");
    intent = recorded.next;
  }
  assert(false, "an operation stops going on");
}

/** A refund is answered when it is accepted, and ends later: whoever records the end may find that another has told of the beginning. */
async function withFirstAnswer(parts: Parts, { payment, event }: Transition, recorded: Recorded): Promise<Recorded> {
  const { answer } = recorded;
  if (answer === undefined || (answer.event.type !== "refund_succeeded" && answer.event.type !== "refund_failed")) return recorded;
  const first = await parts.reader.answerOf({ id: payment.id, merchantId: payment.merchantId }, event.sequence);
  return { ...recorded, answer: first ?? answer };
}

/** `decidedAtMs`: before the intent was appended, by the clock that never jumps. */
type Begun = { readonly kind: "begun"; readonly intent: Transition; readonly decidedAtMs: number };
/**
 * Nothing was written. The key may have been used while Redis knew nothing of it: then what the log has is due, not this. It is asked
 * after the payment's queue has been left: finding an answer may record one, and that waits for its turn in the same queue.
 */
type NotBegun = { readonly kind: "not_begun"; readonly unlessInLog: OperationAnswer };

/** Appends the intent. A fault gives the claim back unless the intent may be in the log. */
async function begin(
  parts: Parts,
  operation: Operation,
  context: DecideContext,
  claim: Claim | undefined,
): Promise<Begun | OperationAnswer> {
  let mayBeWritten = false;
  const append = async (intent: Transition): Promise<Appended> => {
    mayBeWritten = true;
    const { key, requestHash } = operation.use;
    const appended = await parts.log.append(intent, { key, requestHash, budget: operation.caller.budget }).catch((thrown: unknown) => {
      mayBeWritten = !(thrown instanceof AppError && thrown.work === "not_done");
      throw thrown;
    });
    mayBeWritten = appended.kind === "appended";
    return appended;
  };
  const work = () => decideAndAppend(parts, operation, context, append);
  try {
    const begun = operation.isNew ? await work() : await parts.queues.run(operation.paymentId, work);
    if (begun.kind === "begun") return begun;
    const answer = (await answerFromLog(parts, operation.use)) ?? begun.unlessInLog;
    // A refusal leaves the key free.
    if (answer.kind === "done" && claim !== undefined) parts.claims.release(claim);
    return answer;
  } catch (thrown) {
    if (claim !== undefined && !mayBeWritten) parts.claims.release(claim);
    throw thrown;
  }
}

async function decideAndAppend(
  parts: Parts,
  operation: Operation,
  context: DecideContext,
  append: (intent: Transition) => Promise<Appended>,
): Promise<Begun | NotBegun> {
  const refuse = (refusal: Refusal): NotBegun => ({ kind: "not_begun", unlessInLog: refused(refusal) });
  for (let tries = 0; tries < conflictTriesMax; tries++) {
    const decision = await decide(parts, operation, context);
    const decidedAtMs = parts.timing.monotonicMs();
    if (decision.kind === "refused") return refuse(decision.refusal);
    const intent = context.isDegraded ? markDegraded(decision.transition) : decision.transition;
    const appended = await append(intent);
    switch (appended.kind) {
      case "appended":
        parts.crashAt("after_intent_commit");
        return { kind: "begun", intent, decidedAtMs };
      case "key_taken":
        parts.metrics.count("switch_append_conflicts_total", { kind: "key" });
        return { kind: "not_begun", unlessInLog: { kind: "in_flight", payment: undefined } };
      case "reference_taken":
        parts.metrics.count("switch_append_conflicts_total", { kind: "reference" });
        return refuse({ code: "reference_not_unique", message: "this merchant reference was used before", param: "merchant_reference" });
      case "conflict":
        parts.metrics.count("switch_append_conflicts_total", { kind: "sequence" });
    }
  }
  return refuse({ code: "payment_busy", message: "too many operations on this payment at once" });
}

async function decide(parts: Parts, operation: Operation, context: DecideContext): Promise<Decision> {
  if (operation.isNew) return operation.decide(undefined, context);
  const { merchantId, mode } = operation.caller;
  const payment = await parts.reader.newest({ id: operation.paymentId, merchantId });
  if (payment === undefined || payment.mode !== mode)
    return { kind: "refused", refusal: { code: "payment_not_found", message: "no such payment" } };
  return operation.decide(payment, context);
}
