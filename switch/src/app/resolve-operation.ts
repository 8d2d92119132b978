/**
 * Finds out what became of an operation that has an intent and no answer, by asking the processor with our reference, and records it.
 *
 * Safe to repeat and to run beside the operation itself: an outcome is recorded once, whoever is first. Nothing is ever sent again (P2).
 */
import {
  findOpen,
  type OpenOperation,
  type Origin,
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
import type { Parts } from "./parts.ts";
import { recordOutcome } from "./record-outcome.ts";

export const recoveryOrigin: Origin = { actor: "worker:recovery", requestId: "", traceparent: "" };

/** `open`: the operation as it was found, undefined when it is decided. `answer`: the row that answers it, when this call has one. */
export type Resolved = { readonly open: OpenOperation | undefined; readonly answer: Transition | undefined };

/**
 * "I have no such operation" is believed only of operations older than this: a request may still be on its way, and would be carried
 * out after we had called it failed.
 */
export const notFoundBelievedAfterMs = 30_000;

export async function resolveOperation(parts: Parts, which: Which, isMeant: (open: OpenOperation) => boolean): Promise<Resolved> {
  const payment = await parts.reader.newest(which);
  const open = payment?.openOperations.find(isMeant);
  if (payment === undefined || open === undefined) return { open: undefined, answer: undefined };
  const asked = parts.questions.get(open.id);
  if (asked !== undefined) return asked;
  const question = askAndRecord(parts, payment, open).finally(() => parts.questions.delete(open.id));
  parts.questions.set(open.id, question);
  return question;
}

async function askAndRecord(parts: Parts, payment: Payment, open: OpenOperation): Promise<Resolved> {
  const which = { id: payment.id, merchantId: payment.merchantId };
  const intent = await parts.reader.at(which, open.intentSequence);
  if (intent === undefined) return { open, answer: undefined };
  const { connector, id: reference } = open;
  const { found, outcome } = await parts.connectors.query({ connector, reference, traceparent: intent.event.origin.traceparent });
  if (!found && parts.now() - open.startedAtMs < notFoundBelievedAfterMs) return { open, answer: undefined };
  const { answer } = await recordOutcome(parts, { payment, event: intent.event }, (current) =>
    recordFound(parts, current, open, found ? outcome : undefined),
  );
  return { open, answer };
}

/** What an answer to a query makes of the payment. `outcome` undefined: the processor surely has no such operation. */
function recordFound(parts: Parts, payment: Payment, { id, kind }: OpenOperation, outcome: Outcome | undefined): Recording {
  const context = { nowMs: parts.now(), origin: recoveryOrigin };
  const open = findOpen(payment, id);
  if (open === undefined) return { kind: "ignored", reason: "decided meanwhile" };
  // What the processor has accepted it cannot have lost: that is for people to look at, not for us to fail.
  if (outcome === undefined && open.isAccepted) return { kind: "ignored", reason: "accepted before, unknown now" };
  if (outcome === undefined && kind === "authorize") return recordReversal(payment, { attemptId: id, cause: "not_found" }, context);
  const known = outcome ?? neverArrived;
  switch (kind) {
    case "authorize": {
      const { authorizationLifetimeMs } = parts;
      return recordAuthorization(payment, { attemptId: id, outcome: known }, { ...context, authorizationLifetimeMs });
    }
    case "capture":
      return recordCapture(payment, { captureId: id, outcome: known }, context);
    case "void":
      return recordVoid(payment, { voidId: id, outcome: known }, context);
    case "refund":
      return recordRefund(payment, { refundId: id, outcome: known }, context);
  }
}

const neverArrived: Outcome = {
  kind: "declined",
  reason: "processing_error",
  words: { processorReference: "", responseCode: "not_found", authCode: "", avs: "", cvv: "" },
};
