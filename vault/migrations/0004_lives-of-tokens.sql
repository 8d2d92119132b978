-- Up Migration

-- The previous release goes on beside this: what it stores is reusable, has no key share, and lives until the end of its card.

ALTER TABLE cards ADD COLUMN usage text NOT NULL DEFAULT 'reusable' CHECK (usage IN ('single_use', 'reusable'));
-- Null: until the end of its card. A single-use token that a payment has lives until the end of its card too, whatever stands here.
ALTER TABLE cards ADD COLUMN expires_at timestamptz;
CREATE INDEX cards_expiry ON cards (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX cards_end ON cards (exp_year, exp_month);

-- One half of each card's own key; the other half is the merchant's key of the epoch. Whoever deletes the share deletes the card, wherever its sealed row may still
-- be kept. That is why this table, and it alone, is left out of backups that are kept for long: docs/operations/deleting-cards.md.
CREATE TABLE card_key_shares (
  merchant_id uuid NOT NULL,
  token_id uuid NOT NULL,
  share bytea NOT NULL CHECK (octet_length(share) = 32),
  PRIMARY KEY (merchant_id, token_id)
) WITH (autovacuum_vacuum_scale_factor = 0.001, autovacuum_vacuum_threshold = 100);

-- Which payment a single-use token belongs to: the first that opened it.
CREATE TABLE token_claims (
  merchant_id uuid NOT NULL,
  token_id uuid NOT NULL,
  payment_id uuid NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (merchant_id, token_id)
);

-- What is left of a token: that there was one. No card data.
CREATE TABLE deleted_cards (
  merchant_id uuid NOT NULL,
  token_id uuid NOT NULL,
  mode text NOT NULL CHECK (mode IN ('test', 'live')),
  reason text NOT NULL CHECK (reason IN ('deleted', 'expired')),
  -- "key:…", "service:…", or "vault" for what has expired.
  deleted_by text NOT NULL CHECK (deleted_by <> ''),
  deleted_at timestamptz NOT NULL,
  PRIMARY KEY (merchant_id, token_id)
);
-- Other vaults drop what they have in memory of these.
CREATE INDEX deleted_cards_recent ON deleted_cards (deleted_at) WHERE reason = 'deleted';

-- Binds single-use tokens to payments. Answers, for each place, whose the token is by now; null: it is gone, has expired or is none of these.
CREATE FUNCTION claim_tokens(merchant_ids uuid[], token_ids uuid[], payment_ids uuid[]) RETURNS TABLE (place integer, holder uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  WITH wanted AS (
    SELECT DISTINCT ON (merchant_id, token_id) merchant_id, token_id, payment_id
    FROM unnest(merchant_ids, token_ids, payment_ids) WITH ORDINALITY AS w (merchant_id, token_id, payment_id, place)
    ORDER BY merchant_id, token_id, place
  ), usable AS MATERIALIZED (
    -- In one order everywhere, so that nobody deadlocks. The share of the card's row makes a deletion wait for what is being claimed.
    SELECT w.merchant_id, w.token_id, w.payment_id
    FROM wanted w JOIN public.cards c ON c.merchant_id = w.merchant_id AND c.token_id = w.token_id
    WHERE c.usage = 'single_use' AND (c.expires_at IS NULL OR c.expires_at > now())
    ORDER BY w.merchant_id, w.token_id FOR KEY SHARE OF c
  )
  INSERT INTO public.token_claims (merchant_id, token_id, payment_id)
  SELECT merchant_id, token_id, payment_id FROM usable ORDER BY merchant_id, token_id
  ON CONFLICT DO NOTHING;
  -- A statement of its own: it sees the claim of another process that the first one had to wait for.
  RETURN QUERY
    SELECT w.place::integer, t.payment_id
    FROM unnest(merchant_ids, token_ids) WITH ORDINALITY AS w (merchant_id, token_id, place)
    LEFT JOIN public.token_claims t ON t.merchant_id = w.merchant_id AND t.token_id = w.token_id;
END
$$;

-- The only way in which the process's role removes cards: with their shares, leaving a tombstone each. Answers those that it removed. What is said to have expired
-- is removed only when it has.
CREATE FUNCTION delete_cards(merchant_ids uuid[], token_ids uuid[], why text, who text, grace_days integer)
RETURNS TABLE (merchant_id uuid, token_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
#variable_conflict use_column
BEGIN
  PERFORM 1 FROM public.cards c
    JOIN unnest(merchant_ids, token_ids) AS w (merchant_id, token_id) ON c.merchant_id = w.merchant_id AND c.token_id = w.token_id
    ORDER BY c.merchant_id, c.token_id FOR UPDATE OF c;
  RETURN QUERY
    WITH doomed AS MATERIALIZED (
      SELECT c.merchant_id, c.token_id, c.mode
      FROM public.cards c
      JOIN (SELECT DISTINCT * FROM unnest(merchant_ids, token_ids)) AS w (merchant_id, token_id)
        ON c.merchant_id = w.merchant_id AND c.token_id = w.token_id
      LEFT JOIN public.token_claims t ON t.merchant_id = c.merchant_id AND t.token_id = c.token_id
      WHERE why = 'deleted'
        OR (c.expires_at <= now() AND t.payment_id IS NULL)
        OR make_timestamptz(c.exp_year, c.exp_month, 1, 12, 0, 0, 'UTC') + interval '1 month' + grace_days * interval '1 day' <= now()
    ), shares AS (
      DELETE FROM public.card_key_shares s USING doomed d WHERE s.merchant_id = d.merchant_id AND s.token_id = d.token_id
    ), claims AS (
      DELETE FROM public.token_claims t USING doomed d WHERE t.merchant_id = d.merchant_id AND t.token_id = d.token_id
    ), gone AS (
      DELETE FROM public.cards c USING doomed d WHERE c.merchant_id = d.merchant_id AND c.token_id = d.token_id
    )
    INSERT INTO public.deleted_cards (merchant_id, token_id, mode, reason, deleted_by, deleted_at)
    SELECT merchant_id, token_id, mode, why, who, clock_timestamp() FROM doomed
    RETURNING merchant_id, token_id;
END
$$;

-- Deletions and refused openings leave a record, too; a deletion belongs to no payment, and to whoever asked for it.
ALTER TABLE access_log ALTER COLUMN payment_id DROP NOT NULL;
ALTER TABLE access_log ADD COLUMN actor text NOT NULL DEFAULT '';
ALTER TABLE access_log DROP CONSTRAINT access_log_outcome_check;
ALTER TABLE access_log ADD CONSTRAINT access_log_outcome_check
  CHECK (outcome IN ('opened', 'not_found', 'unreadable', 'already_used', 'expired', 'gone', 'deleted'));

REVOKE ALL ON FUNCTION claim_tokens, delete_cards FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_tokens, delete_cards TO florin_vault_app;
GRANT SELECT, INSERT ON card_key_shares TO florin_vault_app;
GRANT SELECT ON token_claims, deleted_cards TO florin_vault_app;

-- Down Migration

ALTER TABLE access_log DROP COLUMN actor;
DELETE FROM access_log WHERE payment_id IS NULL OR outcome IN ('already_used', 'expired', 'gone', 'deleted');
ALTER TABLE access_log ALTER COLUMN payment_id SET NOT NULL;
ALTER TABLE access_log DROP CONSTRAINT access_log_outcome_check;
ALTER TABLE access_log ADD CONSTRAINT access_log_outcome_check CHECK (outcome IN ('opened', 'not_found', 'unreadable'));
DROP FUNCTION delete_cards;
DROP FUNCTION claim_tokens;
DROP TABLE deleted_cards;
DROP TABLE token_claims;
DROP TABLE card_key_shares;
DROP INDEX cards_end;
DROP INDEX cards_expiry;
ALTER TABLE cards DROP COLUMN expires_at;
ALTER TABLE cards DROP COLUMN usage;
