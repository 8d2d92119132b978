/**
 * Captures: taking money that is held, in parts and repeatedly. The intent reserves its amount (`capturePending`), so captures that
 * run side by side never exceed the authorization.
 */
import type { Origin } from "./event.ts";
import { becameUnknown, closed, comesTooLate, findOpen, isBusyWith, isNews, opened, tooLate, type Yes } from "./operation.ts";
import type { Outcome } from "./outcome.ts";
import { type Capture, type CaptureStatus, capturesMax, type Payment, remaining } from "./payment.ts";
import { advance, append, type Decision, type Facts, ignore, type Recording, refuse } from "./transition.ts";

export type RequestCapture = {
  /** "cap_…" */
  readonly captureId: string;
  /** Minor units; absent: all that remains. */
  readonly amount: bigint | undefined;
};

export function requestCapture(
  payment: Payment,
  command: RequestCapture,
  context: { readonly nowMs: number; readonly origin: Origin },
): Decision {
  if (payment.hold !== "held" || payment.captureMode === "automatic")
    return refuse("payment_state_invalid", `a payment that is ${payment.status} cannot be captured`);
  if (isBusyWith(payment, "void")) return refuse("payment_busy", "a void of this payment is under way");
  if (context.nowMs >= payment.authorizationExpiresAtMs) return refuse("payment_state_invalid", "the authorization has expired");
  if (payment.captures.length >= capturesMax)
    return refuse("operation_limit_reached", `a payment can have at most ${capturesMax} captures`);
  const left = remaining(payment);
  const amount = command.amount ?? left;
  if (left === 0n) return refuse(payment.capturePending > 0n ? "payment_busy" : "payment_state_invalid", "nothing remains to be captured");
  if (amount > left) return refuse("amount_too_large", `only ${left} remains to be captured`, "amount");
  const capture: Capture = { id: command.captureId, amount, status: "pending", createdAtMs: context.nowMs, updatedAtMs: context.nowMs };
  const connector = payment.processorResponse?.connector ?? "";
  const facts: Facts = {
    captures: [...payment.captures, capture],
    capturePending: payment.capturePending + amount,
    openOperations: opened(payment, { id: command.captureId, kind: "capture", amount, connector, nowMs: context.nowMs }),
  };
  return append(advance(payment, facts, { type: "capture_requested", ...context, operationId: command.captureId, amount }));
}

export function recordCapture(
  payment: Payment,
  answer: Yes & { readonly captureId: string; readonly outcome: Outcome },
  context: { readonly nowMs: number; readonly origin: Origin },
): Recording {
  const operation = findOpen(payment, answer.captureId);
  if (operation === undefined) return ignore("the capture is decided already");
  const { outcome } = answer;
  const { amount } = operation;
  const step = { ...context, operationId: answer.captureId, amount };
  const done = closed(payment, answer.captureId);
  const capturePending = payment.capturePending - amount;
  switch (outcome.kind) {
    case "approved": {
      if (comesTooLate(operation, answer)) return ignore(tooLate);
      const facts: Facts = {
        ...done,
        capturePending,
        captured: payment.captured + amount,
        captures: withStatus(payment, answer.captureId, "succeeded", context.nowMs),
      };
      return append(advance(payment, facts, { ...step, type: "payment_captured" }));
    }
    case "declined":
    case "not_sent": {
      if (outcome.kind === "not_sent" && operation.isUnknown) return ignore("an unknown capture is not made unsent by a later fault");
      const facts: Facts = { ...done, capturePending, captures: withStatus(payment, answer.captureId, "failed", context.nowMs) };
      const details =
        outcome.kind === "declined" ? { reason: outcome.reason, processor_code: outcome.words.responseCode } : { cause: outcome.cause };
      const refusal =
        outcome.kind === "declined"
          ? ({ code: "capture_declined", message: "the processor refused the capture" } as const)
          : ({ code: "processor_unavailable", message: "the processor could not be reached; nothing was sent" } as const);
      return append(advance(payment, facts, { ...step, type: "capture_failed", details, refusal }));
    }
    case "unknown": {
      if (!isNews(operation, outcome.cause)) return ignore("the capture is unknown already");
      const facts: Facts = {
        ...becameUnknown(payment, answer.captureId, { ...context, cause: outcome.cause }),
        captures: withStatus(payment, answer.captureId, "unknown", context.nowMs),
      };
      return append(advance(payment, facts, { ...step, type: "capture_unknown", details: { cause: outcome.cause } }));
    }
  }
}

function withStatus(payment: Payment, captureId: string, status: CaptureStatus, nowMs: number): readonly Capture[] {
  return payment.captures.map((capture) => (capture.id === captureId ? { ...capture, status, updatedAtMs: nowMs } : capture));
}
