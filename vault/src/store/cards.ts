/** Rows of `cards`: written and read in batches. Only sealing under a newer key changes them (reseal-cards.ts). */
import { idToHex } from "@florin/kernel";
import { arrayLiteral, byteaArrayLiteral, DatabaseFault, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { CardFacts } from "../domain/card.ts";
import { type Mode, tokenToHex } from "../domain/token.ts";

export type StoredCard = {
  readonly merchantId: string;
  readonly token: string;
  readonly mode: Mode;
  readonly epoch: number;
  /** nonce, ciphertext, tag. */
  readonly sealed: Buffer;
  readonly facts: CardFacts;
  /** 16 bytes. */
  readonly fingerprint: Uint8Array;
};

export type CardKey = { readonly merchantId: string; readonly token: string };

export interface CardStore {
  /** Committed when it resolves. */
  insert(cards: readonly StoredCard[]): Promise<void>;
  /** One answer per key, in its order. */
  find(keys: readonly CardKey[]): Promise<readonly (StoredCard | undefined)[]>;
}

type Row = {
  place: number;
  mode: Mode;
  epoch: number;
  sealed: Buffer;
  brand: CardFacts["brand"];
  bin: string;
  last4: string;
  exp_month: number;
  exp_year: number;
  funding: CardFacts["funding"];
  fingerprint: Buffer;
};

export function createCardStore(sql: Sql): CardStore {
  return {
    async insert(cards) {
      const column = <T extends string | number>(read: (card: StoredCard) => T) => arrayLiteral(cards.map(read));
      // Index: cards_pkey (merchant_id, token_id) refuses a token that is there; 128 random bits do not meet twice.
      await sql`
        INSERT INTO cards (merchant_id, token_id, mode, epoch, sealed, brand, bin, last4, exp_month, exp_year, funding, fingerprint)
        SELECT * FROM unnest(
          ${column((card) => idToHex(card.merchantId))}::uuid[], ${column((card) => tokenToHex(card.token))}::uuid[],
          ${column((card) => card.mode)}::text[], ${column((card) => card.epoch)}::int[], ${byteaArrayLiteral(cards.map((card) => card.sealed))}::bytea[],
          ${column((card) => card.facts.brand)}::text[], ${column((card) => card.facts.bin)}::text[], ${column((card) => card.facts.last4)}::text[],
          ${column((card) => card.facts.expMonth)}::smallint[], ${column((card) => card.facts.expYear)}::smallint[],
          ${column((card) => card.facts.funding)}::text[], ${byteaArrayLiteral(cards.map((card) => card.fingerprint))}::bytea[])`.catch(
        fail,
      );
    },
    async find(keys) {
      // Index: cards_pkey (merchant_id, token_id), one probe per key.
      const rows = await sql<Row[]>`
        SELECT wanted.place::int AS place, mode, epoch, sealed, brand, bin, last4, exp_month, exp_year, funding, fingerprint
        FROM unnest(${arrayLiteral(keys.map((key) => idToHex(key.merchantId)))}::uuid[], ${arrayLiteral(keys.map((key) => tokenToHex(key.token)))}::uuid[])
          WITH ORDINALITY AS wanted (merchant_id, token_id, place)
        JOIN cards USING (merchant_id, token_id)`.catch(fail);
      const found = new Map(rows.map((row) => [row.place, row]));
      return keys.map((key, index) => {
        const row = found.get(index + 1);
        return row === undefined ? undefined : toCard(key, row);
      });
    },
  };
}

function toCard({ merchantId, token }: CardKey, row: Row): StoredCard {
  const { mode, epoch, sealed, fingerprint, brand, bin, last4, funding } = row;
  const facts = { brand, bin, last4, expMonth: row.exp_month, expYear: row.exp_year, funding };
  return { merchantId, token, mode, epoch, sealed, facts, fingerprint };
}

/** The card was not stored: the key that sealed it was retired meanwhile. */
export function isEpochRetired(thrown: unknown): boolean {
  return thrown instanceof DatabaseFault && thrown.constraint === "cards_epoch_seals";
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
