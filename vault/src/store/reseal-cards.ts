/**
 * Cards on their way to a newer key, a batch at a time, in the order of the primary key. Owner role only: the process's role changes no card.
 *
 * A card keeps its share, so that a backup of cards opens with the shares of any later day; one that has none yet gets one here.
 */
import { idFromHex, idToHex } from "@florin/kernel";
import { arrayLiteral, byteaArrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import { type Mode, makeToken, tokenToHex } from "../domain/token.ts";
import type { Usage } from "../domain/token-life.ts";

export type SealedRow = {
  readonly merchantId: string;
  readonly token: string;
  readonly mode: Mode;
  readonly epoch: number;
  readonly sealed: Buffer;
  readonly expMonth: number;
  readonly expYear: number;
  readonly usage: Usage;
  /** Undefined: sealed before cards had a key of their own. */
  readonly share: Buffer | undefined;
};
export type ResealedRow = Pick<SealedRow, "merchantId" | "token" | "sealed"> & {
  readonly share: Buffer;
  readonly fromEpoch: number;
  readonly toEpoch: number;
};
export type ResealPlace = Pick<SealedRow, "merchantId" | "token">;

export interface ResealStore {
  /** At most `rowsMax` cards after `place`, whatever their epoch; from the first one without a place. */
  next(place: ResealPlace | undefined, rowsMax: number): Promise<readonly SealedRow[]>;
  /** One transaction. Cards whose epoch is another one by now are left as they are; answers how many were written. */
  replace(rows: readonly ResealedRow[]): Promise<number>;
  /** How many cards are sealed under an epoch; with `countMax` counting ends there. Reads the whole table. */
  count(epoch: number, countMax?: number): Promise<number>;
}

type Row = {
  merchant_id: string;
  token_id: string;
  mode: Mode;
  epoch: number;
  sealed: Buffer;
  exp_month: number;
  exp_year: number;
  usage: Usage;
  share: Buffer | null;
};

const beforeAll = "00000000-0000-0000-0000-000000000000";

export function createResealStore(sql: Sql): ResealStore {
  return {
    async next(place, rowsMax) {
      const merchant = place === undefined ? beforeAll : idToHex(place.merchantId);
      const token = place === undefined ? beforeAll : tokenToHex(place.token);
      // Index: cards_pkey (merchant_id, token_id), read on from the place; card_key_shares_pkey beside it.
      const rows = await sql<Row[]>`
        SELECT merchant_id, token_id, mode, epoch, sealed, exp_month, exp_year, usage, share
        FROM cards LEFT JOIN card_key_shares USING (merchant_id, token_id)
        WHERE (merchant_id, token_id) > (${merchant}::uuid, ${token}::uuid) ORDER BY merchant_id, token_id LIMIT ${rowsMax}`.catch(fail);
      return rows.map((row) => ({
        merchantId: idFromHex("merchant", row.merchant_id.replaceAll("-", "")),
        token: makeToken(Buffer.from(row.token_id.replaceAll("-", ""), "hex")),
        mode: row.mode,
        epoch: row.epoch,
        sealed: row.sealed,
        expMonth: row.exp_month,
        expYear: row.exp_year,
        usage: row.usage,
        share: row.share ?? undefined,
      }));
    },
    async replace(rows) {
      const column = <T extends string | number>(read: (row: ResealedRow) => T) => arrayLiteral(rows.map(read));
      const merchants = column((row) => idToHex(row.merchantId));
      const tokens = column((row) => tokenToHex(row.token));
      // Index: cards_pkey and card_key_shares_pkey (merchant_id, token_id), one probe each per card.
      const [written] = await sql<{ cards: number }[]>`
        WITH resealed AS (
          UPDATE cards SET epoch = wanted.to_epoch, sealed = wanted.sealed
          FROM unnest(${merchants}::uuid[], ${tokens}::uuid[],
            ${column((row) => row.fromEpoch)}::int[], ${column((row) => row.toEpoch)}::int[],
            ${byteaArrayLiteral(rows.map((row) => row.sealed))}::bytea[], ${byteaArrayLiteral(rows.map((row) => row.share))}::bytea[])
            AS wanted (merchant_id, token_id, from_epoch, to_epoch, sealed, share)
          WHERE cards.merchant_id = wanted.merchant_id AND cards.token_id = wanted.token_id AND cards.epoch = wanted.from_epoch
          RETURNING cards.merchant_id, cards.token_id, wanted.share
        ), shares AS (
          INSERT INTO card_key_shares (merchant_id, token_id, share) SELECT merchant_id, token_id, share FROM resealed
          ON CONFLICT DO NOTHING
        )
        SELECT count(*)::float8 AS cards FROM resealed`.catch(fail);
      return written?.cards ?? 0;
    },
    async count(epoch, countMax) {
      // Index: none; a question of people, asked a few times a year, is not worth one on every card that is stored.
      const [row] = await sql<{ cards: number }[]>`
        SELECT count(*)::float8 AS cards FROM (SELECT 1 FROM cards WHERE epoch = ${epoch} LIMIT ${countMax ?? null}::bigint) AS under_it`.catch(
        fail,
      );
      return row?.cards ?? 0;
    },
  };
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
