/**
 * The domain's words and the wire's, in one table each: the log's bodies and the answers of the RPCs show a payment in the same form. A
 * member that is missing on either side does not compile.
 *
 * Messages are written as whole literals: `create` would look at every field again, twice per payment and log row.
 */
import {
  PaymentStatus,
  CaptureMode as WireCaptureMode,
  Mode as WireMode,
  type Payment as WirePayment,
} from "@florin/gen/payments/v1/payments";
import { isDeclineReason, required } from "@florin/kernel";
import {
  type CaptureMode,
  type CaptureStatus,
  type Decline,
  holdOf,
  type Mode,
  type OpenOperation,
  type Payment,
  type RefundStatus,
  type RiskLevel,
  remaining,
  type Status,
} from "./domain/payment/index.ts";

export const wireStatus: Readonly<Record<Status, PaymentStatus>> = {
  created: PaymentStatus.CREATED,
  processing: PaymentStatus.PROCESSING,
  ambiguous: PaymentStatus.AMBIGUOUS,
  authorized: PaymentStatus.AUTHORIZED,
  declined: PaymentStatus.DECLINED,
  partially_captured: PaymentStatus.PARTIALLY_CAPTURED,
  captured: PaymentStatus.CAPTURED,
  voided: PaymentStatus.VOIDED,
  expired: PaymentStatus.EXPIRED,
  partially_refunded: PaymentStatus.PARTIALLY_REFUNDED,
  refunded: PaymentStatus.REFUNDED,
};

/** The other way round; `undefined` is the wire's "not set". A status that the wire has and the domain has not does not compile. */
const domainStatus: Readonly<Record<PaymentStatus, Status | undefined>> = {
  [PaymentStatus.UNSPECIFIED]: undefined,
  [PaymentStatus.CREATED]: "created",
  [PaymentStatus.PROCESSING]: "processing",
  [PaymentStatus.AUTHORIZED]: "authorized",
  [PaymentStatus.DECLINED]: "declined",
  [PaymentStatus.PARTIALLY_CAPTURED]: "partially_captured",
  [PaymentStatus.CAPTURED]: "captured",
  [PaymentStatus.VOIDED]: "voided",
  [PaymentStatus.EXPIRED]: "expired",
  [PaymentStatus.PARTIALLY_REFUNDED]: "partially_refunded",
  [PaymentStatus.REFUNDED]: "refunded",
  [PaymentStatus.AMBIGUOUS]: "ambiguous",
};

/** Undefined for "not set", and for a number that this release does not know. */
export function statusFromWire(wire: PaymentStatus): Status | undefined {
  return domainStatus[wire];
}

const wireMode: Readonly<Record<Mode, WireMode>> = { test: WireMode.TEST, live: WireMode.LIVE };
const wireCaptureMode: Readonly<Record<CaptureMode, WireCaptureMode>> = {
  manual: WireCaptureMode.MANUAL,
  automatic: WireCaptureMode.AUTOMATIC,
};

/** A payment for the wire. Domain and wire share most names; only enums, milliseconds and absent values differ. */
export function paymentToWire(payment: Payment): WirePayment {
  const { card, fraudCheck, processorResponse, decline } = payment;
  return {
    $typeName: "florin.payments.v1.Payment",
    id: payment.id,
    merchantId: payment.merchantId,
    mode: wireMode[payment.mode],
    status: wireStatus[payment.status],
    currency: payment.currency,
    amount: payment.amount,
    amountAuthorized: payment.authorized,
    amountCaptured: payment.captured,
    amountRefunded: payment.refunded,
    amountRemaining: remaining(payment),
    amountCapturePending: payment.capturePending,
    amountRefundPending: payment.refundPending,
    amountReleased: payment.released,
    captureMode: wireCaptureMode[payment.captureMode],
    merchantReference: payment.merchantReference,
    uniqueReference: payment.uniqueReference,
    description: payment.description,
    metadata: payment.metadata as Record<string, string>,
    authorizationExpiresAtMs: BigInt(payment.authorizationExpiresAtMs),
    authorizationId: payment.authorizationId,
    paymentMethodToken: payment.token,
    attempts: payment.attempts,
    captures: payment.captures.map(captureToWire),
    refunds: payment.refunds.map(refundToWire),
    createdAtMs: BigInt(payment.createdAtMs),
    updatedAtMs: BigInt(payment.updatedAtMs),
    resolvesByMs: BigInt(payment.resolvesByMs),
    idempotencyDegraded: payment.idempotencyDegraded,
    version: payment.version,
    ...(card && { card: { $typeName: "florin.payments.v1.CardSummary", ...card } }),
    ...(fraudCheck && {
      fraudCheck: {
        $typeName: "florin.payments.v1.FraudCheck",
        riskScore: fraudCheck.riskScore,
        riskLevel: fraudCheck.riskLevel,
        reasons: [...fraudCheck.reasons],
      },
    }),
    ...(processorResponse && { processorResponse: { $typeName: "florin.payments.v1.ProcessorResponse", ...processorResponse } }),
    ...(decline && { decline: { $typeName: "florin.payments.v1.Decline", ...decline } }),
  };
}

function captureToWire(capture: Payment["captures"][number]): WirePayment["captures"][number] {
  return {
    $typeName: "florin.payments.v1.Capture",
    id: capture.id,
    amount: capture.amount,
    status: capture.status,
    createdAtMs: BigInt(capture.createdAtMs),
    updatedAtMs: BigInt(capture.updatedAtMs),
  };
}

function refundToWire(refund: Payment["refunds"][number]): WirePayment["refunds"][number] {
  return {
    $typeName: "florin.payments.v1.Refund",
    id: refund.id,
    amount: refund.amount,
    status: refund.status,
    reason: refund.reason,
    estimatedArrivalMs: BigInt(refund.estimatedArrivalMs),
    createdAtMs: BigInt(refund.createdAtMs),
    updatedAtMs: BigInt(refund.updatedAtMs),
    failureReason: refund.failureReason,
  };
}

/** A stored payment back in the domain's words. `openOperations` travel beside it in the event. */
export function paymentFromWire(wire: WirePayment, openOperations: readonly OpenOperation[]): Payment {
  const status = required(statusFromWire(wire.status), "the status of a stored payment");
  return {
    id: wire.id,
    merchantId: wire.merchantId,
    mode: wire.mode === WireMode.LIVE ? "live" : "test",
    status,
    hold: holdOf({ status, captured: wire.amountCaptured, released: wire.amountReleased }),
    currency: wire.currency,
    amount: wire.amount,
    authorized: wire.amountAuthorized,
    captured: wire.amountCaptured,
    capturePending: wire.amountCapturePending,
    refunded: wire.amountRefunded,
    refundPending: wire.amountRefundPending,
    released: wire.amountReleased,
    captureMode: wire.captureMode === WireCaptureMode.AUTOMATIC ? "automatic" : "manual",
    merchantReference: wire.merchantReference,
    uniqueReference: wire.uniqueReference,
    description: wire.description,
    metadata: wire.metadata,
    token: wire.paymentMethodToken,
    card: cardFromWire(wire.card),
    fraudCheck: fraudCheckFromWire(wire.fraudCheck),
    processorResponse: responseFromWire(wire.processorResponse),
    decline: declineFromWire(wire.decline),
    authorizationId: wire.authorizationId,
    authorizationExpiresAtMs: Number(wire.authorizationExpiresAtMs),
    attempts: wire.attempts,
    captures: wire.captures.map((capture) => ({
      id: capture.id,
      amount: capture.amount,
      status: capture.status as CaptureStatus,
      createdAtMs: Number(capture.createdAtMs),
      updatedAtMs: Number(capture.updatedAtMs),
    })),
    refunds: wire.refunds.map((refund) => ({
      id: refund.id,
      amount: refund.amount,
      status: refund.status as RefundStatus,
      reason: refund.reason,
      estimatedArrivalMs: Number(refund.estimatedArrivalMs),
      createdAtMs: Number(refund.createdAtMs),
      updatedAtMs: Number(refund.updatedAtMs),
      failureReason: refund.failureReason,
    })),
    openOperations,
    createdAtMs: Number(wire.createdAtMs),
    updatedAtMs: Number(wire.updatedAtMs),
    resolvesByMs: Number(wire.resolvesByMs),
    idempotencyDegraded: wire.idempotencyDegraded,
    version: wire.version,
  };
}

function cardFromWire(card: WirePayment["card"]): Payment["card"] {
  if (card === undefined) return undefined;
  const { brand, bin, last4, expMonth, expYear, funding } = card;
  return { brand, bin, last4, expMonth, expYear, funding };
}

function fraudCheckFromWire(check: WirePayment["fraudCheck"]): Payment["fraudCheck"] {
  return check && { riskScore: check.riskScore, riskLevel: check.riskLevel as RiskLevel, reasons: check.reasons };
}

function responseFromWire(response: WirePayment["processorResponse"]): Payment["processorResponse"] {
  if (response === undefined) return undefined;
  const { connector, code, authCode, avs, cvv, processorReference } = response;
  return { connector, code, authCode, avs, cvv, processorReference };
}

function declineFromWire(decline: WirePayment["decline"]): Decline | undefined {
  if (decline === undefined) return undefined;
  // The log keeps for ever what an earlier release wrote: a reason that this one has no word for is still a no.
  const reason = isDeclineReason(decline.reason) ? decline.reason : "generic_decline";
  return { reason, declineCode: decline.declineCode === "do_not_retry" ? "do_not_retry" : "retry_allowed", message: decline.message };
}
