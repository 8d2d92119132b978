/**
 * Books a batch of authorizations in one statement.
 *
 * The unique index on `reference` is the acquirer's idempotency: a key that is there keeps its row, whatever the repeat says; the caller
 * of this function compares the two.
 */
import { required } from "@florin/kernel";
import { arrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { Operation } from "../domain/operation.ts";
import { readOperations } from "./read-operations.ts";

export type NewAuthorization = {
  readonly reference: string;
  readonly merchantId: string;
  readonly paymentId: string;
  readonly merchantReference: string | undefined;
  readonly amount: bigint;
  readonly currency: string;
  readonly status: "approved" | "declined";
  readonly responseCode: string;
  readonly authCode: string;
  readonly avs: string;
  readonly cvv: string;
  readonly cardLast4: string;
  readonly cardName: string;
  readonly isCaptured: boolean;
  readonly refundsFail: boolean;
};

export type Booked =
  | { readonly kind: "booked"; readonly operationId: bigint }
  /** The key was used before, in this batch or earlier. */
  | { readonly kind: "repeated"; readonly operation: Operation };

/** One answer per member, in their order. Committed when it resolves. Throws AppError on database faults. */
export async function bookAuthorizations(sql: Sql, members: readonly NewAuthorization[]): Promise<Booked[]> {
  const counts = new Map<string, number>();
  const firsts: NewAuthorization[] = [];
  for (const member of members) {
    const count = counts.get(member.reference) ?? 0;
    if (count === 0) firsts.push(member);
    counts.set(member.reference, count + 1);
  }
  // In one order, so that two batches that repeat the same keys wait for each other instead of deadlocking.
  firsts.sort((left, right) => (left.reference < right.reference ? -1 : 1));
  const inserted = await insert(sql, firsts, counts);
  const repeated = members.length === inserted.size ? undefined : await repeats(sql, counts, inserted);
  const seen = new Set<string>();
  return members.map((member) => {
    const operationId = inserted.get(member.reference);
    if (operationId !== undefined && (repeated === undefined || !seen.has(member.reference))) {
      seen.add(member.reference);
      return { kind: "booked", operationId };
    }
    return { kind: "repeated", operation: required(repeated?.get(member.reference), "the row of a repeated key") };
  });
}

/** Reference → id of the rows that are new. */
async function insert(sql: Sql, members: readonly NewAuthorization[], counts: ReadonlyMap<string, number>): Promise<Map<string, bigint>> {
  const column = (read: (member: NewAuthorization) => string | bigint | boolean | number | null) => arrayLiteral(members.map(read));
  const count = (member: NewAuthorization) => counts.get(member.reference) ?? 1;
  try {
    // Index: operations_reference_key.
    const rows = await sql<{ operation_id: bigint; reference: string; request_count: number }[]>`
      INSERT INTO operations AS o (
        reference, operation, merchant_id, payment_id, merchant_reference, amount, currency, status, response_code, auth_code, avs, cvv,
        card_last4, card_name, is_captured, refunds_fail, request_count, authorized, captured)
      SELECT m.reference, 'authorization', m.merchant_id, m.payment_id, m.merchant_reference, m.amount, m.currency, m.status,
        m.response_code, m.auth_code, m.avs, m.cvv, m.card_last4, m.card_name, m.is_captured, m.refunds_fail, m.request_count,
        CASE WHEN m.status = 'approved' THEN m.amount ELSE 0 END,
        CASE WHEN m.status = 'approved' AND m.is_captured THEN m.amount ELSE 0 END
      FROM unnest(
        ${column((member) => member.reference)}::text[], ${column((member) => member.merchantId)}::text[],
        ${column((member) => member.paymentId)}::text[], ${column((member) => member.merchantReference ?? null)}::text[],
        ${column((member) => member.amount)}::bigint[], ${column((member) => member.currency)}::text[],
        ${column((member) => member.status)}::text[], ${column((member) => member.responseCode)}::text[],
        ${column((member) => member.authCode)}::text[], ${column((member) => member.avs)}::text[],
        ${column((member) => member.cvv)}::text[], ${column((member) => member.cardLast4)}::text[],
        ${column((member) => member.cardName)}::text[], ${column((member) => member.isCaptured)}::boolean[],
        ${column((member) => member.refundsFail)}::boolean[], ${column(count)}::int[]
      ) AS m (reference, merchant_id, payment_id, merchant_reference, amount, currency, status, response_code, auth_code, avs, cvv,
        card_last4, card_name, is_captured, refunds_fail, request_count)
      ON CONFLICT (reference) DO UPDATE SET request_count = o.request_count + excluded.request_count
      RETURNING o.operation_id, o.reference, o.request_count`;
    // A row that was there before has counted more requests than this batch brought.
    const news = rows.filter((row) => row.request_count === counts.get(row.reference));
    return new Map(news.map((row) => [row.reference, row.operation_id]));
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}

async function repeats(
  sql: Sql,
  counts: ReadonlyMap<string, number>,
  inserted: ReadonlyMap<string, bigint>,
): Promise<Map<string, Operation>> {
  const references = [...counts].filter(([reference, count]) => count > 1 || !inserted.has(reference)).map(([reference]) => reference);
  const operations = await readOperations(sql, references);
  return new Map(operations.map((operation) => [operation.reference, operation]));
}
