/**
 * A payment as merchants see it, written as JSON text.
 *
 * The same payment always gives the same bytes: fields in one fixed order, every field always there (null when absent), metadata sorted by
 * key. A replay is rendered again from the stored payment, so this is what makes it equal byte for byte. A change of what is written here changes
 * replays across a release: only add fields, and know that a replay after the release has them.
 *
 * Written by hand because it is on the hot path: a string is put together once, without an object in between. Golden files beside
 * the test show the result.
 */
import { type Capture, CaptureMode, Mode, type Payment, PaymentStatus, type Refund } from "@florin/gen/payments/v1/payments";
import { assert } from "@florin/kernel";
import { isoTime, isoTimeOrNull } from "./iso-time.ts";

/** Words of the wire for the statuses that are ever stored, by number. */
export const statusWords: Readonly<Record<number, string>> = {
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

export function writePayment(payment: Payment): string {
  const status = statusWords[payment.status];
  assert(status !== undefined, "a payment has a status that this release knows");
  return (
    `{"id":"${payment.id}","status":"${status}","currency":"${payment.currency}","amount":${payment.amount}` +
    `,"amount_authorized":${payment.amountAuthorized},"amount_captured":${payment.amountCaptured}` +
    `,"amount_refunded":${payment.amountRefunded},"amount_remaining":${payment.amountRemaining}` +
    `,"capture_mode":"${payment.captureMode === CaptureMode.AUTOMATIC ? "automatic" : "manual"}"` +
    `,"merchant_reference":${textOrNull(payment.merchantReference)},"description":${textOrNull(payment.description)}` +
    `,"metadata":${writePairs(payment.metadata)},"payment_method":${writePaymentMethod(payment)}` +
    `,"authorization_expires_at":${isoTimeOrNull(payment.authorizationExpiresAtMs)}` +
    `,"fraud_check":${writeFraudCheck(payment)},"processor_response":${writeProcessorResponse(payment)}` +
    `,"decline":${writeDecline(payment)},"captures":${writeList(payment.captures, writeCapture)}` +
    `,"refunds":${writeList(payment.refunds, writeRefund)}` +
    `,"created_at":"${isoTime(payment.createdAtMs)}","updated_at":"${isoTime(payment.updatedAtMs)}"` +
    `,"livemode":${payment.mode === Mode.LIVE},"idempotency_degraded":${payment.idempotencyDegraded}` +
    `,"resolves_by":${isoTimeOrNull(payment.resolvesByMs)}}`
  );
}

function writePaymentMethod({ card, paymentMethodToken }: Payment): string {
  if (paymentMethodToken === "" && card === undefined) return "null";
  const summary =
    card === undefined
      ? "null"
      : `{"brand":${text(card.brand)},"bin":${textOrNull(card.bin)},"last4":${text(card.last4)},"exp_month":${card.expMonth}` +
        `,"exp_year":${card.expYear},"funding":${text(card.funding)}}`;
  return `{"type":"card","token":${textOrNull(paymentMethodToken)},"card":${summary}}`;
}

/** The reasons are in the timeline: what is shown with a payment may end up before the payer. */
function writeFraudCheck({ fraudCheck }: Payment): string {
  if (fraudCheck === undefined) return "null";
  return `{"risk_score":${fraudCheck.riskScore},"risk_level":${text(fraudCheck.riskLevel)}}`;
}

function writeProcessorResponse({ processorResponse }: Payment): string {
  if (processorResponse === undefined) return "null";
  const { code, authCode, avs, cvv, connector } = processorResponse;
  return `{"code":${text(code)},"auth_code":${textOrNull(authCode)},"avs":${textOrNull(avs)},"cvv":${textOrNull(cvv)},"connector":${text(connector)}}`;
}

function writeDecline({ decline }: Payment): string {
  if (decline === undefined) return "null";
  return `{"reason":${text(decline.reason)},"decline_code":${text(decline.declineCode)},"message":${text(decline.message)}}`;
}

function writeCapture(capture: Capture): string {
  return (
    `{"id":"${capture.id}","status":${text(capture.status)},"amount":${capture.amount}` +
    `,"created_at":"${isoTime(capture.createdAtMs)}","updated_at":"${isoTime(capture.updatedAtMs)}"}`
  );
}

function writeRefund(refund: Refund): string {
  return (
    `{"id":"${refund.id}","status":${text(refund.status)},"amount":${refund.amount},"reason":${text(refund.reason)}` +
    `,"estimated_arrival":${isoTimeOrNull(refund.estimatedArrivalMs)},"failure_reason":${textOrNull(refund.failureReason)}` +
    `,"created_at":"${isoTime(refund.createdAtMs)}","updated_at":"${isoTime(refund.updatedAtMs)}"}`
  );
}

export function writeList<T>(values: readonly T[], write: (value: T) => string): string {
  if (values.length === 0) return "[]";
  let list = `[${write(values[0] as T)}`;
  for (let index = 1; index < values.length; index++) list += `,${write(values[index] as T)}`;
  return `${list}]`;
}

/** Sorted by key (UTF-16 code units), because objects do not promise an order across encoding and decoding. */
export function writePairs(pairs: Readonly<Record<string, string>>): string {
  const keys = Object.keys(pairs);
  if (keys.length === 0) return "{}";
  if (keys.length > 1) keys.sort();
  let members = "";
  for (const key of keys) members += `${members === "" ? "{" : ","}${text(key)}:${text(pairs[key] as string)}`;
  return `${members}}`;
}

export function text(value: string): string {
  return JSON.stringify(value);
}

/** Absent text is empty in the contract and null on the wire. */
export function textOrNull(value: string): string {
  return value === "" ? "null" : JSON.stringify(value);
}
