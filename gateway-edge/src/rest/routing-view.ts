/** How a payment found its processor, written as JSON text. Same rules as a payment's view. */
import type { GetPaymentRoutingResponse, RoutingAttempt, RoutingCandidate, RoutingDecision } from "@florin/gen/payments/v1/payments";
import { isoTime } from "./iso-time.ts";
import { text, textOrNull, writeList } from "./payment-view.ts";

export function writeRouting({ decisions }: GetPaymentRoutingResponse): string {
  return `{"data":${writeList(decisions, writeDecision)}}`;
}

function writeDecision(decision: RoutingDecision): string {
  const { sequence, strategy, rulesVersion, rulePath, exploration } = decision;
  return (
    `{"sequence":${sequence},"decided_at":"${isoTime(decision.decidedAtMs)}","strategy":${text(strategy)}` +
    `,"rules_version":${rulesVersion === 0 ? "null" : rulesVersion},"rule":${textOrNull(rulePath)},"exploration":${exploration}` +
    `,"candidates":${writeList(decision.candidates, writeCandidate)},"attempts":${writeList(decision.attempts, writeAttempt)}}`
  );
}

function writeCandidate({ processor, rank, reasons, fee, approvalRateBps }: RoutingCandidate): string {
  return (
    `{"processor":${text(processor)},"rank":${rank === 0 ? "null" : rank},"reasons":${writeList(reasons, text)}` +
    `,"fee":${fee ?? "null"},"approval_rate_bps":${approvalRateBps ?? "null"}}`
  );
}

function writeAttempt({ id, processor, outcome, reason, stopped, passedOver }: RoutingAttempt): string {
  return (
    `{"id":${text(id)},"processor":${text(processor)},"outcome":${text(outcome)},"reason":${textOrNull(reason)}` +
    `,"stopped":${textOrNull(stopped)},"passed_over":${writeList(passedOver, text)}}`
  );
}
