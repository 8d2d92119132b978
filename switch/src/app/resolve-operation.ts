/**
 * Finds out what became of an operation that has an intent and no answer, by asking the processor with our reference, and records it.
 *
 * Safe to repeat and to run beside the operation itself: an outcome is recorded once, whoever is first.
 */
import type { OpenOperation, Outcome, Payment, Recording, Transition } from "../domain/payment/index.ts";
import { findOpen, recordAuthorization, recordCapture, recordRefund, recordReversal, recordVoid } from "../domain/payment/index.ts";
import type { Which } from "../store/log-reader.ts";
import { recordOutcome } from "./operation.ts";
import type { Parts } from "./parts.ts";

const origin = { actor: "worker:recovery", requestId: "", traceparent: "" };

/** The row that answers the operation whose intent is at `intentSequence`, or undefined while nobody can say. */
export async function resolveOperation(parts: Parts, which: Which, intentSequence: number): Promise<Transition | undefined> {
  const payment = await parts.reader.newest(which);
  const operation = payment?.openOperations.find((open) => open.intentSequence === intentSequence);
  if (payment === undefined || operation === undefined) return parts.reader.answerOf(which, intentSequence);
  const intent = await parts.reader.at(which, intentSequence);
  if (intent === undefined) return undefined;
  const { found, outcome } = await parts.connectors.query({ connector: operation.connector, reference: operation.id, traceparent: "" });
  return recordOutcome(parts, { ...intent, payment }, (current) => recordFound(parts, current, operation, found ? outcome : "not_found"));
}

/** What an answer to a query makes of the payment. "not_found": the processor surely has no such operation, so nothing was charged. */
function recordFound(parts: Parts, payment: Payment, operation: OpenOperation, outcome: Outcome | "not_found"): Recording {
  const context = { nowMs: parts.now(), origin };
  if (outcome === "not_found" && operation.kind === "authorize")
    return recordReversal(payment, { attemptId: operation.id, cause: "not_found" }, context);
  return recordAnswer(parts, payment, operation, outcome === "not_found" ? neverArrived : outcome);
}

const neverArrived: Outcome = {
  kind: "declined",
  reason: "processing_error",
  words: { processorReference: "", responseCode: "", authCode: "", avs: "", cvv: "" },
};

function recordAnswer(parts: Parts, payment: Payment, { id, kind }: OpenOperation, outcome: Outcome): Recording {
  const context = { nowMs: parts.now(), origin };
  if (findOpen(payment, id) === undefined) return { kind: "ignored", reason: "decided meanwhile" };
  switch (kind) {
    case "authorize":
      return recordAuthorization(
        payment,
        { attemptId: id, outcome },
        { ...context, authorizationLifetimeMs: parts.authorizationLifetimeMs },
      );
    case "capture":
      return recordCapture(payment, { captureId: id, outcome }, context);
    case "void":
      return recordVoid(payment, { voidId: id, outcome }, context);
    case "refund":
      return recordRefund(payment, { refundId: id, outcome }, context);
  }
}
