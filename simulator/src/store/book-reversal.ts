/** Books one reversal (migrations/0002_reversals.sql). Rare, so without a batch. */
import { required } from "@florin/kernel";
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { Operation, OperationKind } from "../domain/operation.ts";
import { type OperationRow, toOperation } from "./operation-row.ts";

export type NewReversal = {
  readonly reference: string;
  /** The caller's reference of the operation to undo. */
  readonly originalReference: string;
  readonly originalOperation: Exclude<OperationKind, "reversal">;
  /** The caller's reference of the authorization that it belongs to. */
  readonly authorizationReference: string;
  readonly merchantId: string;
  readonly paymentId: string;
  /** Minor units. */
  readonly amount: bigint;
  readonly currency: string;
};

/** The row of the reversal, new or found under its key. Committed when it resolves. */
export async function bookReversal(sql: Sql, reversal: NewReversal): Promise<Operation> {
  const { reference, originalReference, originalOperation, authorizationReference, merchantId, paymentId, amount, currency } = reversal;
  try {
    // Index: operations_reference_key.
    const rows = await sql<OperationRow[]>`
      SELECT * FROM book_reversal(${reference}, ${originalReference}, ${originalOperation}, ${authorizationReference}, ${merchantId},
        ${paymentId}, ${amount.toString()}::bigint, ${currency})`;
    return toOperation(required(rows[0], "the row of a reversal"));
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}
