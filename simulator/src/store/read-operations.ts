/** Reads operations by their references. A pending refund whose time has come is settled first, so the answer is never stale. */
import { arrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { Operation } from "../domain/operation.ts";
import { type OperationRow, operationColumns, toOperation } from "./operation-row.ts";

export async function readOperations(sql: Sql, references: readonly string[]): Promise<readonly Operation[]> {
  try {
    const found = await select(sql, references);
    const due = found.filter(isDue).map((operation) => operation.authorizationId);
    if (due.length === 0) return found;
    for (const authorizationId of new Set(due)) await sql`SELECT settle_refunds(${String(authorizationId)}::bigint)`;
    return await select(sql, references);
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}

export async function readOperation(sql: Sql, reference: string): Promise<Operation | undefined> {
  return (await readOperations(sql, [reference]))[0];
}

async function select(sql: Sql, references: readonly string[]): Promise<readonly Operation[]> {
  // Index: operations_reference_key.
  const rows = await sql<OperationRow[]>`
    SELECT ${sql(operationColumns)} FROM operations WHERE reference = ANY (${arrayLiteral(references)}::text[])`;
  return rows.map(toOperation);
}

function isDue(operation: Operation): boolean {
  return operation.status === "pending" && operation.settlesAt !== undefined && operation.settlesAt.getTime() <= Date.now();
}
