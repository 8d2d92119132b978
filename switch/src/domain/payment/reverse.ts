/**
 * Reversals: undoing at the processor what was answered as failed here and turned out to be charged. They move no money of the payment:
 * what they undo never counted. So they may happen whatever has become of the payment since, and change its status never.
 *
 * A reversal has no unknown outcome: it is repeated with its own reference until the processor has answered it.
 */
import type { Origin } from "./event.ts";
import { closed, findOpen, opened } from "./operation.ts";
import type { Outcome } from "./outcome.ts";
import type { Payment } from "./payment.ts";
import { advance, append, ignore, type Recording } from "./transition.ts";

export type RequestReversal = {
  /** "rev_…": our reference of the reversal. */
  readonly reversalId: string;
  /** Our reference of the operation to undo. */
  readonly originalId: string;
  /** Minor units that the original was about. */
  readonly amount: bigint;
  readonly connector: string;
  /** How we know of the charge, as a stable word: late_approval, … */
  readonly cause: string;
};

type Context = { readonly nowMs: number; readonly origin: Origin };

/** The intent to undo `originalId`, which must be decided: what is still open gets its outcome instead. */
export function requestReversal(payment: Payment, command: RequestReversal, context: Context): Recording {
  const { reversalId: id, originalId, amount, connector, cause } = command;
  if (findOpen(payment, id) !== undefined) return ignore("the reversal is under way");
  if (findOpen(payment, originalId) !== undefined) return ignore("the operation is not decided");
  if (holds(payment, originalId)) return ignore("the payment stands on this operation");
  const facts = { openOperations: opened(payment, { id, kind: "reversal", amount, connector, nowMs: context.nowMs }) };
  return append(
    advance(payment, facts, { ...context, type: "reversal_requested", operationId: id, amount, details: { of: originalId, cause } }),
  );
}

/** `approved`: undone. `declined`: it cannot be undone, which people must see. Anything else decides nothing. */
export function recordReversed(
  payment: Payment,
  answer: { readonly reversalId: string; readonly outcome: Outcome },
  context: Context,
): Recording {
  const operation = findOpen(payment, answer.reversalId);
  if (operation === undefined) return ignore("the reversal is decided already");
  const { outcome } = answer;
  const step = { ...context, operationId: operation.id, amount: operation.amount };
  switch (outcome.kind) {
    case "approved":
      return append(advance(payment, closed(payment, operation.id), { ...step, type: "reversal_succeeded" }));
    case "declined": {
      const details = { reason: outcome.reason, processor_code: outcome.words.responseCode };
      return append(advance(payment, closed(payment, operation.id), { ...step, type: "reversal_failed", details }));
    }
    default:
      return ignore("a reversal is repeated until it is answered");
  }
}

/** The money of the payment rests on this operation: undoing it would not be a reversal but a void or a refund. */
function holds(payment: Payment, operationId: string): boolean {
  if (payment.authorizationId === operationId) return payment.authorized > 0n;
  const succeeded = (one: { readonly id: string; readonly status: string }) => one.id === operationId && one.status === "succeeded";
  return payment.captures.some(succeeded) || payment.refunds.some(succeeded);
}
