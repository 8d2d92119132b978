/** Records what a processor said of an operation. A yes to what was called failed meanwhile is undone, never believed. */
import type { Outcome, Payment, Recording, Transition } from "../domain/payment/index.ts";
import type { Parts } from "./parts.ts";
import { type Recorded, recordOutcome } from "./record-outcome.ts";
import { reverseLateApproval } from "./reversal.ts";

/** `connector`: registry name of the connector that gave the answer. */
export async function recordAnswer(
  parts: Parts,
  intent: Transition,
  said: { readonly outcome: Outcome; readonly connector: string },
  record: (payment: Payment) => Recording,
): Promise<Recorded> {
  const recorded = await recordOutcome(parts, intent, record);
  const isCalledFailed = recorded.answer?.event.refusal !== undefined;
  if (said.outcome.kind === "approved" && isCalledFailed) await reverseLateApproval(parts, intent, said.connector);
  return recorded;
}
