/** The audit timeline and the pages of payments, written as JSON text: who, what, when, before, after. Same rules as a payment's view. */
import {
  type Amounts,
  type ListPaymentEventsResponse,
  type ListPaymentsResponse,
  PaymentStatus,
  type TimelineEntry,
} from "@florin/gen/payments/v1/payments";
import { isoTime } from "./iso-time.ts";
import { statusWords, text, textOrNull, writeList, writePairs, writePayment } from "./payment-view.ts";

export function writePaymentPage(page: ListPaymentsResponse): string {
  const { nextCursor } = page;
  return `{"data":${writeList(page.payments, writePayment)},"has_more":${nextCursor !== ""},"next_cursor":${textOrNull(nextCursor)}}`;
}

export function writeTimeline(page: ListPaymentEventsResponse): string {
  return `{"data":${writeList(page.entries, writeEntry)},"has_more":${page.hasMore}}`;
}

function writeEntry(entry: TimelineEntry): string {
  return (
    `{"sequence":${entry.sequence},"type":${text(entry.type)},"occurred_at":"${isoTime(entry.occurredAtMs)}"` +
    `,"actor":${text(entry.actor)},"request_id":${textOrNull(entry.requestId)}` +
    `,"status_before":${writeStatus(entry.statusBefore)},"status_after":${writeStatus(entry.statusAfter)}` +
    `,"amount":${entry.amount === 0n ? "null" : entry.amount},"operation_id":${textOrNull(entry.operationId)}` +
    `,"before":${writeAmounts(entry.before)},"after":${writeAmounts(entry.after)},"details":${writePairs(entry.details)}}`
  );
}

function writeStatus(status: PaymentStatus): string {
  return status === PaymentStatus.UNSPECIFIED ? "null" : `"${statusWords[status] ?? "unknown"}"`;
}

function writeAmounts(amounts: Amounts | undefined): string {
  if (amounts === undefined) return "null";
  return `{"amount_authorized":${amounts.authorized},"amount_captured":${amounts.captured},"amount_refunded":${amounts.refunded}}`;
}
