/**
 * Cards with their key shares: written, read, claimed and deleted in batches. Only sealing under a newer key changes a card (reseal-cards.ts); whose a
 * single-use token is, and what is deleted, functions of the database decide (0004).
 */
import { idFromHex, idToHex, required } from "@florin/kernel";
import { arrayLiteral, byteaArrayLiteral, DatabaseFault, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { CardFacts } from "../domain/card.ts";
import { type Mode, makeToken, tokenToHex } from "../domain/token.ts";
import type { Usage } from "../domain/token-life.ts";

export type StoredCard = CardKey & {
  readonly mode: Mode;
  readonly epoch: number;
  /** nonce, ciphertext, tag. */
  readonly sealed: Buffer;
  /** 32 bytes; undefined: the card was sealed before cards had a key of their own. */
  readonly share: Buffer | undefined;
  readonly facts: CardFacts;
  /** 16 bytes. */
  readonly fingerprint: Uint8Array;
  readonly usage: Usage;
  /** Milliseconds since 1970, like all times here; undefined: with its card. */
  readonly plannedExpiryMs: number | undefined;
  readonly createdAtMs: number;
};
/** As it is read: with the payment that a single-use token belongs to. */
export type FoundCard = StoredCard & { readonly kind: "card"; readonly usedBy: string | undefined };
/** What is left of a token that is no more. */
export type Tombstone = { readonly kind: "gone"; readonly mode: Mode; readonly reason: DeletionReason };
export type DeletionReason = "deleted" | "expired";

export type CardKey = { readonly merchantId: string; readonly token: string };
export type Claim = CardKey & { readonly paymentId: string };

export interface CardStore {
  /** Committed when it resolves. */
  insert(cards: readonly StoredCard[]): Promise<void>;
  /** One answer per key, in its order. */
  find(keys: readonly CardKey[]): Promise<readonly (FoundCard | Tombstone | undefined)[]>;
  /**
   * Binds single-use tokens to payments, each to the first that asks, ever. Answers, in order, whose each token is by now; undefined: it has expired or is
   * gone. Committed when it resolves, and safe to repeat.
   */
  claim(claims: readonly Claim[]): Promise<readonly (string | undefined)[]>;
  /**
   * Deletes cards with their shares and leaves tombstones; committed when it resolves. Answers those that it deleted. `expired`: only what has. `who`: "key:…", …
   */
  delete(
    keys: readonly CardKey[],
    o: { readonly reason: DeletionReason; readonly who: string; readonly graceDays: number },
  ): Promise<readonly CardKey[]>;
}

type Row = {
  place: number;
  is_card: boolean;
  mode: Mode;
  epoch: number;
  sealed: Buffer;
  share: Buffer | null;
  brand: CardFacts["brand"];
  bin: string;
  last4: string;
  exp_month: number;
  exp_year: number;
  funding: CardFacts["funding"];
  fingerprint: Buffer;
  usage: Usage;
  expires_at_ms: number | null;
  created_at_ms: number;
  payment_id: string | null;
  reason: DeletionReason;
};

export function createCardStore(sql: Sql): CardStore {
  return {
    async insert(cards) {
      const column = <T extends string | number | null>(read: (card: StoredCard) => T) => arrayLiteral(cards.map(read));
      const merchants = column((card) => idToHex(card.merchantId));
      const tokens = column((card) => tokenToHex(card.token));
      // Index: cards_pkey and card_key_shares_pkey (merchant_id, token_id) refuse a token that is there; 128 random bits do not meet twice.
      await sql`
        WITH shares AS (
          INSERT INTO card_key_shares (merchant_id, token_id, share)
          SELECT * FROM unnest(${merchants}::uuid[], ${tokens}::uuid[],
            ${byteaArrayLiteral(cards.map((card) => required(card.share, "a new card has a share")))}::bytea[])
        )
        INSERT INTO cards (merchant_id, token_id, mode, epoch, sealed, brand, bin, last4, exp_month, exp_year, funding, fingerprint, usage,
          expires_at, created_at)
        SELECT merchant_id, token_id, mode, epoch, sealed, brand, bin, last4, exp_month, exp_year, funding, fingerprint, usage,
          timestamptz 'epoch' + expires_at_ms * interval '1 millisecond', timestamptz 'epoch' + created_at_ms * interval '1 millisecond'
        FROM unnest(
          ${merchants}::uuid[], ${tokens}::uuid[],
          ${column((card) => card.mode)}::text[], ${column((card) => card.epoch)}::int[], ${byteaArrayLiteral(cards.map((card) => card.sealed))}::bytea[],
          ${column((card) => card.facts.brand)}::text[], ${column((card) => card.facts.bin)}::text[], ${column((card) => card.facts.last4)}::text[],
          ${column((card) => card.facts.expMonth)}::smallint[], ${column((card) => card.facts.expYear)}::smallint[],
          ${column((card) => card.facts.funding)}::text[], ${byteaArrayLiteral(cards.map((card) => card.fingerprint))}::bytea[],
          ${column((card) => card.usage)}::text[], ${column((card) => card.plannedExpiryMs ?? null)}::bigint[],
          ${column((card) => card.createdAtMs)}::bigint[])
          AS c (merchant_id, token_id, mode, epoch, sealed, brand, bin, last4, exp_month, exp_year, funding, fingerprint, usage, expires_at_ms,
            created_at_ms)`.catch(fail);
    },
    async find(keys) {
      const { merchants, tokens } = keyColumns(keys);
      // Index: cards_pkey, card_key_shares_pkey, token_claims_pkey, deleted_cards_pkey (merchant_id, token_id): one probe each per key that needs it.
      const rows = await sql<Row[]>`
        SELECT w.place::int AS place, c.token_id IS NOT NULL AS is_card, coalesce(c.mode, d.mode) AS mode, c.epoch, c.sealed, s.share, c.brand,
          c.bin, c.last4, c.exp_month, c.exp_year, c.funding, c.fingerprint, c.usage,
          (extract(epoch FROM c.expires_at) * 1000)::float8 AS expires_at_ms, (extract(epoch FROM c.created_at) * 1000)::float8 AS created_at_ms,
          t.payment_id::text AS payment_id, d.reason
        FROM unnest(${merchants}::uuid[], ${tokens}::uuid[]) WITH ORDINALITY AS w (merchant_id, token_id, place)
        LEFT JOIN cards c ON c.merchant_id = w.merchant_id AND c.token_id = w.token_id
        LEFT JOIN card_key_shares s ON s.merchant_id = c.merchant_id AND s.token_id = c.token_id
        LEFT JOIN token_claims t ON c.usage = 'single_use' AND t.merchant_id = c.merchant_id AND t.token_id = c.token_id
        LEFT JOIN deleted_cards d ON c.token_id IS NULL AND d.merchant_id = w.merchant_id AND d.token_id = w.token_id
        WHERE c.token_id IS NOT NULL OR d.token_id IS NOT NULL`.catch(fail);
      const found = new Map(rows.map((row) => [row.place, row]));
      return keys.map((key, index) => {
        const row = found.get(index + 1);
        return row === undefined ? undefined : toFound(key, row);
      });
    },
    async claim(claims) {
      const { merchants, tokens } = keyColumns(claims);
      // Index: cards_pkey and token_claims_pkey (merchant_id, token_id), one probe each per claim.
      const rows = await sql<{ place: number; holder: string | null }[]>`
        SELECT place, holder::text AS holder FROM claim_tokens(${merchants}::uuid[], ${tokens}::uuid[],
          ${arrayLiteral(claims.map(({ paymentId }) => idToHex(paymentId)))}::uuid[])`.catch(fail);
      const holders = new Map(rows.map(({ place, holder }) => [place, holder]));
      return claims.map((_claim, index) => paymentOf(holders.get(index + 1) ?? null));
    },
    async delete(keys, { reason, who, graceDays }) {
      const { merchants, tokens } = keyColumns(keys);
      // Index: cards_pkey, card_key_shares_pkey, token_claims_pkey (merchant_id, token_id), one probe each per key.
      const rows = await sql<{ merchant_id: string; token_id: string }[]>`
        SELECT merchant_id::text AS merchant_id, token_id::text AS token_id
        FROM delete_cards(${merchants}::uuid[], ${tokens}::uuid[], ${reason}, ${who}, ${graceDays}::int)`.catch(fail);
      return rows.map(toCardKey);
    },
  };
}

function keyColumns(keys: readonly CardKey[]): { readonly merchants: string; readonly tokens: string } {
  return {
    merchants: arrayLiteral(keys.map((key) => idToHex(key.merchantId))),
    tokens: arrayLiteral(keys.map((key) => tokenToHex(key.token))),
  };
}

/** From the columns of a row; uuids are read as text. */
export function toCardKey(row: { readonly merchant_id: string; readonly token_id: string }): CardKey {
  return { merchantId: idFromHex("merchant", row.merchant_id), token: makeToken(Buffer.from(row.token_id.replaceAll("-", ""), "hex")) };
}

function toFound({ merchantId, token }: CardKey, row: Row): FoundCard | Tombstone {
  const { mode, reason, epoch, sealed, fingerprint, brand, bin, last4, funding, usage } = row;
  if (!row.is_card) return { kind: "gone", mode, reason };
  const facts = { brand, bin, last4, expMonth: row.exp_month, expYear: row.exp_year, funding };
  const times = { plannedExpiryMs: row.expires_at_ms ?? undefined, createdAtMs: row.created_at_ms };
  const share = row.share ?? undefined;
  return {
    kind: "card",
    merchantId,
    token,
    mode,
    epoch,
    sealed,
    share,
    facts,
    fingerprint,
    usage,
    ...times,
    usedBy: paymentOf(row.payment_id),
  };
}

function paymentOf(uuid: string | null): string | undefined {
  return uuid === null ? undefined : idFromHex("payment", uuid);
}

/** The card was not stored: the key that sealed it was retired meanwhile. */
export function isEpochRetired(thrown: unknown): boolean {
  return thrown instanceof DatabaseFault && thrown.constraint === "cards_epoch_seals";
}

function fail(thrown: unknown): never {
  throw toDatabaseFault(thrown);
}
