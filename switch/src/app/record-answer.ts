/** Records what a processor said of an operation. A yes to what was called failed meanwhile is undone, never believed. */
import { findOpen, type Outcome, type Payment, type Recording, type Transition } from "../domain/payment/index.ts";
import type { Parts } from "./parts.ts";
import { type Recorded, recordOutcome } from "./record-outcome.ts";
import { reverseLateApproval } from "./reversal.ts";

/** `connector`: registry name of the connector that gave the answer. */
export async function recordAnswer(
  parts: Parts,
  intent: Transition,
  said: { readonly outcome: Outcome; readonly connector: string; readonly nextId?: string | undefined },
  record: (payment: Payment) => Recording,
): Promise<Recorded> {
  const recorded = await recordOutcome(parts, intent, record, said.nextId);
  if (said.outcome.kind === "approved" && isCalledFailed(recorded, intent.event.operationId))
    await reverseLateApproval(parts, intent, said.connector);
  return recorded;
}

/** A no was recorded for this operation, or the payment went on to another attempt without it. */
function isCalledFailed({ answer, payment }: Recorded, operationId: string): boolean {
  if (answer === undefined) return findOpen(payment, operationId) === undefined;
  return answer.event.refusal !== undefined || answer.event.operationId !== operationId;
}
