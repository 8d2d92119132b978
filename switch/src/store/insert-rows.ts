/** The one statement of the log's writer, as a function of a batch. What it promises is in append-statement.ts. */
import { idToHex } from "@florin/kernel";
import { arrayLiteral, type Sql } from "@florin/runtime/postgres";
import type { Transition } from "../domain/payment/index.ts";
import { isUniquelyReferenced, type Member, type Verdict } from "./append-batch.ts";
import { appendDegradedStatement, appendStatement } from "./append-statement.ts";

export type EncodedMember = Member & { readonly body: Uint8Array };

/** `position`: null unless the member was appended. */
export type InsertedRow = { readonly position: bigint | null; readonly verdict: Verdict };

/**
 * Writes a batch in one transaction: an answer for each member in their order, released after the commit. Members come in lock order, and
 * no two of them want one row, key or reference. Throws what the database says; 23505 and FL001 rolled everything back.
 */
export type InsertRows = (members: readonly EncodedMember[]) => Promise<readonly InsertedRow[]>;

export function createInsertRows(sql: Sql): InsertRows {
  return async (members) => {
    const parameters = parametersOf(members);
    const degraded = members.filter(({ transition, claim }) => claim !== undefined && transition.payment.idempotencyDegraded);
    if (degraded.length === 0) return await sql.unsafe<InsertedRow[]>(appendStatement, parameters, { prepare: true });
    const marked = arrayLiteral(degraded.map(({ transition }) => idToHex(transition.payment.id)));
    return await sql.unsafe<InsertedRow[]>(appendDegradedStatement, [...parameters, marked], { prepare: true });
  };
}

function parametersOf(members: readonly EncodedMember[]): (string | Buffer)[] {
  let end = 1;
  const starts = members.map(({ body }) => {
    const start = end;
    end += body.length;
    return start;
  });
  const of = (value: (member: EncodedMember) => string | number | bigint | boolean | null) => arrayLiteral(members.map(value));
  const ofPayment = (value: (payment: Transition["payment"]) => string | number | bigint | boolean | null) =>
    arrayLiteral(members.map(({ transition }) => value(transition.payment)));
  return [
    ofPayment(({ id }) => idToHex(id)),
    ofPayment(({ version }) => version),
    ofPayment(({ merchantId }) => idToHex(merchantId)),
    of(({ transition }) => transition.event.occurredAtMs),
    of(({ transition }) => transition.event.type),
    ofPayment(({ status }) => status),
    ofPayment(({ mode }) => mode === "live"),
    ofPayment(({ currency }) => currency),
    ofPayment(({ amount }) => amount),
    ofPayment(({ authorized }) => authorized),
    ofPayment(({ captured }) => captured),
    ofPayment(({ capturePending }) => capturePending),
    ofPayment(({ released }) => released),
    ofPayment(({ refunded }) => refunded),
    ofPayment(({ refundPending }) => refundPending),
    of(({ transition }) => (transition.event.operationId === "" ? null : idToHex(transition.event.operationId))),
    ofPayment(({ version, merchantReference }) => (version === 1 && merchantReference !== "" ? merchantReference : null)),
    arrayLiteral(starts),
    of(({ body }) => body.length),
    of(({ claim }) => claim?.key ?? null),
    of(({ claim }) => (claim === undefined ? null : `\\x${claim.requestHash.toString("hex")}`)),
    ofPayment(isUniquelyReferenced),
    Buffer.concat(members.map(({ body }) => body)),
  ];
}
