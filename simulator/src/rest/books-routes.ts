/** The books over HTTP: what tests and the verification of a load run trust. Reads only. */
import type { Sql } from "@florin/runtime/postgres";
import type { FastifyInstance } from "fastify";
import { type Operation, type OperationStatus, viewOf } from "../domain/operation.ts";
import {
  type BooksFilter,
  type CurrencyTotals,
  findOperations,
  type PaymentTotals,
  readPaymentTotals,
  readSummary,
} from "../store/books.ts";
import { sendError } from "./answer-body.ts";

const pageLimitDefault = 1_000;
const pageLimitMax = 10_000;
const paymentIdsMax = 1_000;

type ChargesQuery = { reference?: string; idempotency_key?: string; payment_id?: string; merchant_reference?: string };
type PaymentsQuery = { after?: string; limit?: string; ids?: string };

const withoutEffect: ReadonlySet<OperationStatus> = new Set(["declined", "failed", "reversed"]);
const isEffect = (status: OperationStatus) => !withoutEffect.has(status);

export function booksRoutes(app: FastifyInstance, sql: Sql): void {
  app.get<{ Querystring: ChargesQuery }>("/admin/books/charges", async ({ query }, reply) => {
    const filter = filterOf(query);
    if (filter === undefined)
      return sendError(reply, "request_invalid", "one of reference, idempotency_key, payment_id, merchant_reference is required");
    const operations = await findOperations(sql, filter);
    // A key may be any operation's; of a payment or an order only authorizations are charges.
    const counted = operations.filter((operation) => filter.by === "reference" || operation.operation === "authorization");
    const charges = counted.filter((operation) => isEffect(operation.status));
    return {
      count: charges.length,
      declined: counted.length - charges.length,
      requests: counted.reduce((sum, operation) => sum + operation.requestCount, 0),
      charges: charges.map(detailsOf),
      operations: operations.map(detailsOf),
    };
  });

  app.get<{ Querystring: PaymentsQuery }>("/admin/books/payments", async ({ query }, reply) => {
    const limit = query.limit === undefined ? pageLimitDefault : Number(query.limit);
    const paymentIds = query.ids?.split(",");
    if (!Number.isInteger(limit) || limit < 1 || limit > pageLimitMax)
      return sendError(reply, "request_invalid", `limit is 1 to ${pageLimitMax}`);
    if (paymentIds !== undefined && paymentIds.length > paymentIdsMax)
      return sendError(reply, "request_invalid", `at most ${paymentIdsMax} ids`);
    const payments = await readPaymentTotals(sql, { afterPaymentId: query.after ?? "", limit, paymentIds });
    const next = payments.length === limit && paymentIds === undefined ? (payments.at(-1)?.paymentId ?? null) : null;
    return { payments: payments.map(paymentView), next };
  });

  app.get<{ Params: { id: string } }>("/admin/books/payments/:id", async ({ params }, reply) => {
    const [payment] = await readPaymentTotals(sql, { afterPaymentId: "", limit: 1, paymentIds: [params.id] });
    if (payment === undefined) return sendError(reply, "operation_not_found", "the books have no such payment");
    const operations = await findOperations(sql, { by: "payment_id", value: params.id });
    return { ...paymentView(payment), operations: operations.map(detailsOf) };
  });

  app.get("/admin/books/summary", async () => {
    const summary = await readSummary(sql);
    return {
      operations: summary.operations,
      requests: summary.requests,
      payments_charged_twice: summary.paymentsChargedTwice,
      authorizations_approved: summary.currencies.reduce((sum, totals) => sum + totals.approved, 0),
      authorizations_declined: summary.currencies.reduce((sum, totals) => sum + totals.declined, 0),
      by_currency: Object.fromEntries(summary.currencies.map((totals) => [totals.currency, currencyView(totals)])),
    };
  });
}

function filterOf(query: ChargesQuery): BooksFilter | undefined {
  const reference = query.reference ?? query.idempotency_key;
  if (reference !== undefined) return { by: "reference", value: reference };
  if (query.payment_id !== undefined) return { by: "payment_id", value: query.payment_id };
  if (query.merchant_reference !== undefined) return { by: "merchant_reference", value: query.merchant_reference };
  return undefined;
}

function detailsOf(operation: Operation) {
  return {
    ...viewOf(operation),
    merchant_id: operation.merchantId,
    payment_id: operation.paymentId,
    merchant_reference: operation.merchantReference ?? null,
    card_last4: operation.cardLast4,
    card_name: operation.cardName,
    amount_authorized: Number(operation.authorized),
    amount_captured: Number(operation.captured),
    amount_voided: Number(operation.voided),
    amount_refunded: Number(operation.refunded),
    request_count: operation.requestCount,
    created_at: operation.createdAt.toISOString(),
  };
}

function paymentView(payment: PaymentTotals) {
  return {
    payment_id: payment.paymentId,
    currency: payment.currency,
    charges: payment.charges,
    declined: payment.declined,
    requests: payment.requests,
    ...amountsOf(payment),
  };
}

function currencyView(totals: CurrencyTotals) {
  return { approved: totals.approved, declined: totals.declined, ...amountsOf(totals) };
}

/** Sums are numbers as long as they are exact, else decimal strings. */
function amountsOf(totals: Pick<PaymentTotals, "authorized" | "captured" | "voided" | "refunded" | "refundPending">) {
  return {
    amount_authorized: exact(totals.authorized),
    amount_captured: exact(totals.captured),
    amount_voided: exact(totals.voided),
    amount_refunded: exact(totals.refunded),
    amount_refund_pending: exact(totals.refundPending),
  };
}

function exact(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
}
