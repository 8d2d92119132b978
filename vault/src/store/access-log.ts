/** Rows of `access_log`: added, never read, changed or removed by this process. */
import { idToHex } from "@florin/kernel";
import { arrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";

export type AccessOutcome = "opened" | "not_found" | "unreadable";

/** Who opened which card, why, for which payment, when, and whether it worked. */
export type Access = {
  readonly atMs: number;
  readonly merchantId: string;
  readonly token: string;
  readonly caller: string;
  readonly purpose: string;
  readonly paymentId: string;
  readonly outcome: AccessOutcome;
};

export interface AccessStore {
  /** Committed when it resolves. Numbers run on from `firstSeq`; safe to repeat with the same numbers and rows. */
  append(writerId: string, firstSeq: number, accesses: readonly Access[]): Promise<void>;
  /** Makes room for the months to come; the number of partitions that it made. Safe to repeat. */
  makePartitions(monthsAhead: number): Promise<number>;
}

export function createAccessStore(sql: Sql): AccessStore {
  return {
    async append(writerId, firstSeq, accesses) {
      const column = (read: (access: Access) => string | number) => arrayLiteral(accesses.map(read));
      // Index: access_log_pkey (writer_id, seq, accessed_at) makes the repetition harmless.
      await sql`
        INSERT INTO access_log (writer_id, seq, accessed_at, merchant_id, token, caller, purpose, payment_id, outcome)
        SELECT ${writerId}::uuid, ${firstSeq}::bigint + a.place - 1, timestamptz 'epoch' + a.at_ms * interval '1 millisecond',
          a.merchant_id, a.token, a.caller, a.purpose, a.payment_id, a.outcome
        FROM unnest(
          ${column((access) => access.atMs)}::bigint[], ${column((access) => idToHex(access.merchantId))}::uuid[],
          ${column((access) => access.token)}::text[], ${column((access) => access.caller)}::text[],
          ${column((access) => access.purpose)}::text[], ${column((access) => idToHex(access.paymentId))}::uuid[],
          ${column((access) => access.outcome)}::text[])
          WITH ORDINALITY AS a (at_ms, merchant_id, token, caller, purpose, payment_id, outcome, place)
        ON CONFLICT DO NOTHING`.catch(fail);
    },
    async makePartitions(monthsAhead) {
      const [row] = await sql<{ made: number }[]>`SELECT make_access_log_partitions(${monthsAhead}::int) AS made`.catch(fail);
      return row?.made ?? 0;
    },
  };
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
