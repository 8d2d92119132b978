/** Which cards have to go for their age, and which were deleted a moment ago: questions of the vault's workers. */
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import { type CardKey, toCardKey } from "./cards.ts";

export interface ExpiredCardStore {
  /**
   * At most `rowsMax` tokens whose time was over a minute ago (single-use ones only while no payment has them), of those that were to expire after `afterMs`. The minute
   * is for vaults whose clocks differ, and for claims on their way.
   */
  expired(afterMs: number, rowsMax: number): Promise<readonly CardKey[]>;
  /** At most `rowsMax` cards of this month or an earlier one. */
  ended(month: { readonly expMonth: number; readonly expYear: number }, rowsMax: number): Promise<readonly CardKey[]>;
  /** At most `rowsMax` tokens that were deleted, not for their age, within the last `ageMs`. */
  deleted(ageMs: number, rowsMax: number): Promise<readonly CardKey[]>;
}

type Row = { readonly merchant_id: string; readonly token_id: string };

export function createExpiredCardStore(sql: Sql): ExpiredCardStore {
  return {
    async expired(afterMs, rowsMax) {
      // Index: cards_expiry (expires_at), a range; token_claims_pkey (merchant_id, token_id) beside it.
      const rows = await sql<Row[]>`
        SELECT c.merchant_id::text AS merchant_id, c.token_id::text AS token_id
        FROM cards c LEFT JOIN token_claims t ON t.merchant_id = c.merchant_id AND t.token_id = c.token_id
        WHERE c.expires_at > timestamptz 'epoch' + ${afterMs}::float8 * interval '1 millisecond' AND c.expires_at <= now() - interval '1 minute'
          AND t.payment_id IS NULL
        ORDER BY c.expires_at LIMIT ${rowsMax}`.catch(fail);
      return rows.map(toCardKey);
    },
    async ended({ expMonth, expYear }, rowsMax) {
      // Index: cards_end (exp_year, exp_month), a range.
      const rows = await sql<Row[]>`
        SELECT merchant_id::text AS merchant_id, token_id::text AS token_id
        FROM cards WHERE (exp_year, exp_month) <= (${expYear}::smallint, ${expMonth}::smallint) LIMIT ${rowsMax}`.catch(fail);
      return rows.map(toCardKey);
    },
    async deleted(ageMs, rowsMax) {
      // Index: deleted_cards_recent (deleted_at), a range.
      const rows = await sql<Row[]>`
        SELECT merchant_id::text AS merchant_id, token_id::text AS token_id
        FROM deleted_cards WHERE reason = 'deleted' AND deleted_at > now() - ${ageMs}::float8 * interval '1 millisecond' LIMIT ${rowsMax}`.catch(
        fail,
      );
      return rows.map(toCardKey);
    },
  };
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
