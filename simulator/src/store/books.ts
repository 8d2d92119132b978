/** Reads for tests and verification. All refunds whose time has come are settled first. */
import { arrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import { type Operation, repeatedReferences } from "../domain/operation.ts";
import { type OperationRow, operationColumns, toOperation } from "./operation-row.ts";

export type BooksFilter =
  | { readonly by: "reference"; readonly value: string }
  | { readonly by: "payment_id"; readonly value: string }
  | { readonly by: "merchant_reference"; readonly value: string };

/** At most this many operations of one payment are listed. */
const operationsMax = 1_000;

export async function findOperations(sql: Sql, filter: BooksFilter): Promise<readonly Operation[]> {
  // Of an acquirer that does not look at references, all that it booked under this one.
  const values = filter.by === "reference" ? [filter.value, ...repeatedReferences(filter.value)] : [filter.value];
  return reading(sql, async () => {
    // Index: operations_reference_key, operations_payment or operations_merchant_reference.
    const rows = await sql<OperationRow[]>`
      SELECT ${sql(operationColumns)} FROM operations WHERE ${sql(filter.by)} = ANY (${arrayLiteral(values)}::text[]) ORDER BY operation_id LIMIT ${operationsMax}`;
    return rows.map(toOperation);
  });
}

export type PaymentTotals = {
  readonly paymentId: string;
  readonly currency: string;
  /** Approved authorizations; more than one is a double charge unless the merchant tried again after a void. */
  readonly charges: number;
  readonly declined: number;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly voided: bigint;
  readonly refunded: bigint;
  readonly refundPending: bigint;
  readonly requests: number;
};

type TotalsRow = {
  payment_id: string;
  currency: string;
  charges: number;
  declined: number;
  authorized: bigint;
  captured: bigint;
  voided: bigint;
  refunded: bigint;
  refund_pending: bigint;
  requests: number;
};

/** Totals of payments in the order of their ids, after `afterPaymentId` ("" for the first page), or of exactly `paymentIds`. */
export async function readPaymentTotals(
  sql: Sql,
  page: { readonly afterPaymentId: string; readonly limit: number; readonly paymentIds: readonly string[] | undefined },
): Promise<readonly PaymentTotals[]> {
  return reading(sql, async () => {
    const some =
      page.paymentIds === undefined
        ? sql`payment_id > ${page.afterPaymentId}`
        : sql`payment_id = ANY (${arrayLiteral(page.paymentIds)}::text[])`;
    // Index: operations_payment.
    const rows = await sql<TotalsRow[]>`
      SELECT payment_id, max(currency) AS currency,
        count(*) FILTER (WHERE operation = 'authorization' AND status = 'approved')::int AS charges,
        count(*) FILTER (WHERE operation = 'authorization' AND status = 'declined')::int AS declined,
        sum(authorized)::bigint AS authorized, sum(captured)::bigint AS captured, sum(voided)::bigint AS voided,
        sum(refunded)::bigint AS refunded,
        coalesce(sum(amount) FILTER (WHERE status = 'pending'), 0)::bigint AS refund_pending,
        sum(request_count)::int AS requests
      FROM operations WHERE ${some} GROUP BY payment_id ORDER BY payment_id LIMIT ${page.limit}`;
    return rows.map((row) => ({
      paymentId: row.payment_id,
      currency: row.currency,
      charges: row.charges,
      declined: row.declined,
      authorized: row.authorized,
      captured: row.captured,
      voided: row.voided,
      refunded: row.refunded,
      refundPending: row.refund_pending,
      requests: row.requests,
    }));
  });
}

export type CurrencyTotals = {
  readonly currency: string;
  readonly approved: number;
  readonly declined: number;
  readonly authorized: bigint;
  readonly captured: bigint;
  readonly voided: bigint;
  readonly refunded: bigint;
  readonly refundPending: bigint;
};

export type BooksSummary = {
  readonly operations: number;
  readonly requests: number;
  /** Payments with more than one approved authorization. */
  readonly paymentsChargedTwice: number;
  readonly currencies: readonly CurrencyTotals[];
};

/** Reads the whole table: for tests and the end of a load run. */
export async function readSummary(sql: Sql): Promise<BooksSummary> {
  return reading(sql, async () => {
    const currencies = await sql<CurrencyTotals[]>`
      SELECT currency,
        count(*) FILTER (WHERE operation = 'authorization' AND status = 'approved')::int AS approved,
        count(*) FILTER (WHERE operation = 'authorization' AND status = 'declined')::int AS declined,
        sum(authorized)::bigint AS authorized, sum(captured)::bigint AS captured, sum(voided)::bigint AS voided,
        sum(refunded)::bigint AS refunded, coalesce(sum(amount) FILTER (WHERE status = 'pending'), 0)::bigint AS "refundPending"
      FROM operations GROUP BY currency ORDER BY currency`;
    const [counts] = await sql<{ operations: number; requests: number; charged_twice: number }[]>`
      SELECT count(*)::int AS operations, coalesce(sum(request_count), 0)::int AS requests,
        (SELECT count(*)::int FROM (
          SELECT 1 FROM operations WHERE operation = 'authorization' AND status = 'approved' GROUP BY payment_id HAVING count(*) > 1) p
        ) AS charged_twice
      FROM operations`;
    return {
      operations: counts?.operations ?? 0,
      requests: counts?.requests ?? 0,
      paymentsChargedTwice: counts?.charged_twice ?? 0,
      currencies,
    };
  });
}

async function reading<Answer>(sql: Sql, work: () => Promise<Answer>): Promise<Answer> {
  try {
    // Index: operations_pending_refunds.
    await sql`SELECT settle_refunds(NULL)`;
    return await work();
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}
