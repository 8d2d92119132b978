/**
 * Voids: releasing what is held and not captured. After a partial capture a void releases the rest. A void waits for captures under
 * way, and captures wait for a void: they contend for the same money.
 */
import type { Origin } from "./event.ts";
import { becameUnknown, closed, comesTooLate, findOpen, isBusyWith, isNews, opened, tooLate, type Yes } from "./operation.ts";
import type { Outcome } from "./outcome.ts";
import { type Payment, remaining } from "./payment.ts";
import { advance, append, type Decision, type Facts, ignore, type Recording, refuse } from "./transition.ts";

export function requestVoid(
  payment: Payment,
  command: { readonly voidId: string },
  context: { readonly nowMs: number; readonly origin: Origin },
): Decision {
  if (payment.hold !== "held" || payment.captureMode === "automatic")
    return refuse("payment_state_invalid", `a payment that is ${payment.status} cannot be voided`);
  if (isBusyWith(payment, "void") || isBusyWith(payment, "capture"))
    return refuse("payment_busy", "a capture or void of this payment is under way");
  const left = remaining(payment);
  if (left === 0n) return refuse("payment_state_invalid", "nothing is held any more; refund what was captured");
  const connector = payment.processorResponse?.connector ?? "";
  const facts: Facts = {
    openOperations: opened(payment, { id: command.voidId, kind: "void", amount: left, connector, nowMs: context.nowMs }),
  };
  return append(advance(payment, facts, { type: "void_requested", ...context, operationId: command.voidId, amount: left }));
}

export function recordVoid(
  payment: Payment,
  answer: Yes & { readonly voidId: string; readonly outcome: Outcome },
  context: { readonly nowMs: number; readonly origin: Origin },
): Recording {
  const operation = findOpen(payment, answer.voidId);
  if (operation === undefined) return ignore("the void is decided already");
  const { outcome } = answer;
  const step = { ...context, operationId: answer.voidId, amount: operation.amount };
  const done = closed(payment, answer.voidId);
  switch (outcome.kind) {
    case "approved": {
      if (comesTooLate(operation, answer)) return ignore(tooLate);
      const facts: Facts = { ...done, hold: "voided", released: payment.released + operation.amount, authorizationExpiresAtMs: 0 };
      return append(advance(payment, facts, { ...step, type: "payment_voided" }));
    }
    case "declined":
      return append(
        advance(payment, done, {
          ...step,
          type: "void_failed",
          details: { reason: outcome.reason, processor_code: outcome.words.responseCode },
          refusal: { code: "void_declined", message: "the processor refused to release the hold" },
        }),
      );
    case "not_sent": {
      if (operation.isUnknown) return ignore("an unknown void is not made unsent by a later fault");
      const refusal = { code: "processor_unavailable", message: "the processor could not be reached; nothing was sent" } as const;
      return append(advance(payment, done, { ...step, type: "void_failed", details: { cause: outcome.cause }, refusal }));
    }
    case "unknown": {
      if (!isNews(operation, outcome.cause)) return ignore("the void is unknown already");
      return append(
        advance(payment, becameUnknown(payment, answer.voidId, { ...context, cause: outcome.cause }), {
          ...step,
          type: "void_unknown",
          details: { cause: outcome.cause },
        }),
      );
    }
  }
}
