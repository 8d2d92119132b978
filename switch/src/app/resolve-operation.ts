/**
 * Finds out what became of an operation that has an intent and no answer, and records it.
 *
 * Safe to repeat and to run beside the operation itself: an outcome is recorded once, whoever is first.
 */
import {
  beingUndone,
  findOpen,
  type OpenOperation,
  type Outcome,
  type Payment,
  type Recording,
  recordAuthorization,
  recordCapture,
  recordRefund,
  recordReversal,
  recordVoid,
  type Transition,
} from "../domain/payment/index.ts";
import type { Which } from "../store/log-reader.ts";
import { type Answer, askProcessor, type Question, undoOpen, type Verdict } from "./ask-processor.ts";
import type { Parts } from "./parts.ts";
import { recordAnswer } from "./record-answer.ts";
import { recordOutcome } from "./record-outcome.ts";
import { recoveryOrigin, settleReversal } from "./reversal.ts";
import { noteFound } from "./routing/network-guard.ts";

export type Resolved = {
  /** The operation as it was found; undefined when it is decided. */
  readonly open: OpenOperation | undefined;
  readonly currency: string;
  /** The row that answers it, when this call has one. */
  readonly answer: Transition | undefined;
  /** Asking again is of no use. */
  readonly awaitsFile: boolean;
  /** False: nobody was asked, for want of a place or within the retry budget. */
  readonly wasAsked: boolean;
};

const decided: Resolved = { open: undefined, currency: "", answer: undefined, awaitsFile: false, wasAsked: false };

/** `mayAsk`: whether the processor of this operation may be asked now; called at most once, right before it is. */
export async function resolveOperation(
  parts: Parts,
  which: Which,
  isMeant: (open: OpenOperation) => boolean,
  mayAsk: (open: OpenOperation) => boolean = () => true,
): Promise<Resolved> {
  const payment = await parts.reader.newest(which);
  const open = payment?.openOperations.find(isMeant);
  if (payment === undefined || open === undefined) return decided;
  const asked = parts.questions.get(open.id);
  if (asked !== undefined) return asked;
  if (!mayAsk(open)) return { ...decided, open, currency: payment.currency };
  const question = askAndRecord(parts, payment, open).finally(() => parts.questions.delete(open.id));
  parts.questions.set(open.id, question);
  return question;
}

async function askAndRecord(parts: Parts, payment: Payment, open: OpenOperation): Promise<Resolved> {
  const { id, merchantId, currency } = payment;
  const intent = await parts.reader.at({ id, merchantId }, open.intentSequence);
  const found: Resolved = { open, currency, answer: undefined, awaitsFile: false, wasAsked: true };
  if (intent === undefined) return found;
  if (open.kind === "reversal") return { ...found, answer: await settleReversal(parts, { payment, event: intent.event }) };
  const question: Question = { payment, open, intent };
  const verdict = await undoneIfNeedBe(parts, question, await askProcessor(parts, question));
  if (verdict.kind === "undecided") return found;
  const outcome = outcomeOf(verdict);
  // Before it is recorded, as where it is heard at once: no later payment of the card can overlook it.
  if (open.kind === "authorize" && verdict.kind === "outcome") await noteFound(parts, payment, open.id, outcome);
  const { answer } = await recordAnswer(parts, { payment, event: intent.event }, { outcome, connector: open.connector }, (current) =>
    recordVerdict(parts, current, open, verdict),
  );
  const wasAsked = !(outcome.kind === "unknown" && outcome.cause === "retry_budget");
  return { ...found, answer, awaitsFile: verdict.kind === "awaits_file", wasAsked };
}

/** Undoing goes on only while the log says so; who recorded an outcome before was faster. */
async function undoneIfNeedBe(parts: Parts, question: Question, asked: Answer): Promise<Verdict> {
  if (asked.kind !== "to_undo") return asked;
  const { payment, open, intent } = question;
  const outcome: Outcome = { kind: "unknown", cause: beingUndone };
  const recorded = await recordOutcome(parts, { payment, event: intent.event }, (current) =>
    recordVerdict(parts, current, open, { kind: "outcome", outcome }),
  );
  const marked = findOpen(recorded.payment, open.id);
  if (marked === undefined) return { kind: "outcome", outcome };
  return undoOpen(parts, { ...question, payment: recorded.payment, open: marked }, asked.why);
}

type Decisive = Exclude<Verdict, { kind: "undecided" }>;

/** What a verdict makes of the payment. */
function recordVerdict(parts: Parts, payment: Payment, { id, kind }: OpenOperation, verdict: Decisive): Recording {
  const context = { nowMs: parts.now(), origin: recoveryOrigin };
  if (findOpen(payment, id) === undefined) return { kind: "ignored", reason: "decided meanwhile" };
  const outcome = outcomeOf(verdict);
  const isKept = verdict.kind === "outcome" && verdict.isKept;
  switch (kind) {
    case "authorize": {
      if (verdict.kind === "without_effect") return recordReversal(payment, { attemptId: id, cause: verdict.cause }, context);
      const { authorizationLifetimeMs } = parts;
      return recordAuthorization(payment, { attemptId: id, outcome, isKept }, { ...context, authorizationLifetimeMs });
    }
    case "capture":
      return recordCapture(payment, { captureId: id, outcome, isKept }, context);
    case "void":
      return recordVoid(payment, { voidId: id, outcome, isKept }, context);
    case "refund":
      return recordRefund(payment, { refundId: id, outcome, isKept }, context);
    case "reversal":
      return { kind: "ignored", reason: "a reversal is settled by repeating it" };
  }
}

function outcomeOf(verdict: Decisive): Outcome {
  switch (verdict.kind) {
    case "outcome":
      return verdict.outcome;
    case "without_effect":
      return neverArrived;
    case "awaits_file":
      return { kind: "unknown", cause: "awaits_settlement_file" };
  }
}

const neverArrived: Outcome = {
  kind: "declined",
  reason: "processing_error",
  words: { processorReference: "", responseCode: "not_found", authCode: "", avs: "", cvv: "" },
};
