/** Books a batch of captures, voids and refunds in one statement, one after the other in their order (migrations/0001_books.sql). */
import { arrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { Operation, OperationKind } from "../domain/operation.ts";
import { type OperationRow, toOperation } from "./operation-row.ts";

export type NewMovement = {
  readonly reference: string;
  readonly operation: Exclude<OperationKind, "authorization" | "reversal">;
  /** The authorization by the acquirer's id, or else by the caller's reference. */
  readonly authorizationId: bigint | undefined;
  readonly authorizationReference: string;
  readonly merchantId: string;
  /** Minor units; 0 for a void, which releases all that is left. */
  readonly amount: bigint;
  readonly currency: string;
  /** True: a refund is decided while the caller waits. False or undefined: it is accepted, and ends after the acquirer's delay. */
  readonly isDecidedAtOnce?: boolean;
};

/** The row of each member, new or found under its key; undefined when this merchant has no such authorization. */
export async function bookMovements(
  sql: Sql,
  members: readonly NewMovement[],
  refundDelayMs: number,
): Promise<readonly (Operation | undefined)[]> {
  const column = (read: (member: NewMovement) => string | bigint | null) => arrayLiteral(members.map(read));
  try {
    // Index: operations_reference_key, operations_pkey, operations_authorization.
    const rows = await sql<({ ordinal: bigint } & (OperationRow | { operation_id: null }))[]>`
      SELECT m.ordinal, b.*
      FROM unnest(
        ${column((member) => member.reference)}::text[], ${column((member) => member.operation)}::text[],
        ${column((member) => member.authorizationId ?? null)}::bigint[], ${column((member) => member.authorizationReference)}::text[],
        ${column((member) => member.amount)}::bigint[], ${column((member) => member.currency)}::text[],
        ${column((member) => member.merchantId)}::text[],
        ${column(({ isDecidedAtOnce }) => String(isDecidedAtOnce === true ? 0 : refundDelayMs))}::bigint[]
      ) WITH ORDINALITY AS m (reference, operation, by_id, by_reference, amount, currency, merchant_id, refund_delay_ms, ordinal)
      LEFT JOIN LATERAL book_movement(
        m.reference, m.operation, m.by_id, m.by_reference, m.amount, m.currency, m.merchant_id, m.refund_delay_ms
      ) AS b ON true
      ORDER BY m.ordinal`;
    const answers: (Operation | undefined)[] = members.map(() => undefined);
    for (const row of rows) if (row.operation_id !== null) answers[Number(row.ordinal) - 1] = toOperation(row);
    return answers;
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}
