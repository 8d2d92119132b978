/**
 * Undoing at the processor what this house has called failed.
 *
 * Two ways lead here. Before an operation is called failed because the processor does not know it, the processor is told to refuse it from
 * then on, so that it cannot be carried out later. And an approval that comes after its operation was called failed is undone: the intent is
 * in the log first, and recovery repeats it with the same reference until the processor has answered.
 */
import { assert, isId, required } from "@florin/kernel";
import { derivedId } from "@florin/runtime/derived-id";
import {
  findOpen,
  type OpenOperation,
  type Origin,
  type Outcome,
  type Payment,
  type ProcessorWords,
  recordReversed,
  requestReversal,
  type Transition,
} from "../domain/payment/index.ts";
import type { Parts } from "./parts.ts";
import { recordOutcome } from "./record-outcome.ts";

export const recoveryOrigin: Origin = { actor: "worker:recovery", requestId: "", traceparent: "" };

/** Rows after an intent that are looked at for an earlier reversal of it; a payment has fewer. */
const timelineMax = 2_000;

/** One reversal per operation: whoever undoes it, here or at a connector that undoes it by itself, undoes it once. */
export function reversalIdOf(operationId: string): string {
  return derivedId("reversal", operationId);
}

/** Tells the processor that `original` shall have no effect, now or later. Only "approved" says that it has none. */
export function undo(parts: Parts, payment: Payment, original: Pick<OpenOperation, "id" | "amount" | "connector">): Promise<Outcome> {
  const { id, amount, connector } = original;
  return parts.connectors.reverse(payment, { id: reversalIdOf(id), originalId: id, amount, connector, traceparent: "" });
}

/** Undoes an operation whose approval came after it was called failed. Safe to repeat: an operation is reversed once. */
export async function reverseLateApproval(parts: Parts, intent: Transition, connector: string): Promise<void> {
  const { event } = intent;
  const which = { id: intent.payment.id, merchantId: intent.payment.merchantId };
  const reversalId = reversalIdOf(event.operationId);
  const later = await parts.reader.timeline(which, { afterSequence: event.sequence, limit: timelineMax });
  if (later.some((row) => row.event.operationId === reversalId)) return;
  const command = { reversalId, originalId: event.operationId, amount: event.amount, connector, cause: "late_approval" };
  const payment = required(await parts.reader.newest(which), "a payment with an intent");
  const { answer } = await recordOutcome(parts, { payment, event }, (current) =>
    requestReversal(current, command, { nowMs: parts.now(), origin: recoveryOrigin }),
  );
  if (answer?.event.operationId !== reversalId) return;
  parts.metrics.count("switch_reversals_total", { outcome: "requested" });
  await settleReversal(parts, answer);
}

/** Sends the reversal of this intent (again) and records the answer: the row that ends it, or undefined while there is none. */
export async function settleReversal(parts: Parts, intent: Transition): Promise<Transition | undefined> {
  const { payment, event } = intent;
  const open = findOpen(payment, event.operationId);
  const originalId = event.details["of"] ?? "";
  assert(open !== undefined && isOperationId(originalId), "a reversal's intent names what it undoes");
  const original = { id: originalId, amount: open.amount, connector: open.connector };
  const undone = await undo(parts, payment, original);
  const outcome = isDecided(undone) || !(await isWithoutEffect(parts, payment, original)) ? undone : withoutEffect;
  if (!isDecided(outcome)) return undefined;
  const { answer } = await recordOutcome(parts, intent, (current) =>
    recordReversed(current, { reversalId: event.operationId, outcome }, { nowMs: parts.now(), origin: recoveryOrigin }),
  );
  parts.metrics.count("switch_reversals_total", { outcome: outcome.kind === "approved" ? "succeeded" : "failed" });
  return answer;
}

const isDecided = ({ kind }: Outcome): boolean => kind === "approved" || kind === "declined";
const noWords: ProcessorWords = { processorReference: "", responseCode: "", authCode: "", avs: "", cvv: "" };
const withoutEffect: Outcome = { kind: "approved", isFinal: true, words: noWords };

/**
 * A processor that knows no reversals may have let go by itself: a refund that it accepted and could not pay after all. Its "no" is later than the
 * yes that was to be undone. As long as it says yes, the reversal stays open and somebody's to look at.
 */
async function isWithoutEffect(
  parts: Parts,
  { currency }: Payment,
  { id: reference, amount, connector }: Pick<OpenOperation, "id" | "amount" | "connector">,
): Promise<boolean> {
  const abilities = await parts.connectors.abilities(connector);
  if (abilities === undefined || abilities.reversal || abilities.unknownStrategy === "file") return false;
  const { found, outcome } = await parts.connectors.query({ connector, reference, amount, currency, traceparent: "" });
  return found && outcome.kind === "declined";
}

function isOperationId(id: string): boolean {
  return isId("attempt", id) || isId("capture", id) || isId("void", id) || isId("refund", id);
}
