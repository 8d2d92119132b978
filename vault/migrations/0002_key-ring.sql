-- Up Migration

-- The previous release goes on beside this: it reads and adds keys as before, and its keys are taken under the ring's seal by the next process of this one.

-- From then on the key seals no card; it opens what it sealed.
ALTER TABLE data_keys ADD COLUMN retired_at timestamptz;

-- All data keys as one thing: a keyed seal over every row, and a number that only rises, which the hardware module remembers too. A row that was changed,
-- swapped, set back, added or taken away breaks the seal; rows that were set back together with their seal have a lower number than the module.
CREATE TABLE key_ring (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  generation bigint NOT NULL CHECK (generation >= 1),
  -- Card keys up to this epoch are under the seal. A process of the previous release adds later ones without it.
  covered_epoch integer NOT NULL CHECK (covered_epoch >= 0),
  -- HMAC-SHA256 under a key that is derived from the fingerprint key.
  seal bytea NOT NULL CHECK (octet_length(seal) = 32)
);

-- What was done with keys, by whom: a few rows a month, kept for ever.
CREATE TABLE key_events (
  event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  happened_at timestamptz NOT NULL DEFAULT now(),
  -- "vault", or the name of a person; for what needs two, the second one too.
  actor text NOT NULL CHECK (actor <> ''),
  witness text CHECK (witness <> actor),
  action text NOT NULL CHECK (action IN ('created', 'rewrapped', 'retired', 'destroyed', 'resealed', 'restore_accepted',
    'kek_created', 'kek_imported', 'kek_retired', 'kek_destroyed')),
  purpose text CHECK (purpose IN ('card', 'fingerprint')),
  epoch integer,
  kek_id text,
  cards bigint
);

-- The count of seals is what keeps random nonces apart: it never falls, whoever asks.
CREATE FUNCTION refuse_fewer_seals() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the count of seals of a data key never falls' USING ERRCODE = '23514', CONSTRAINT = 'data_keys_seals_rise';
END
$$;
CREATE TRIGGER data_keys_seals_rise BEFORE UPDATE OF seals_reserved ON data_keys FOR EACH ROW
  WHEN (NEW.seals_reserved < OLD.seals_reserved) EXECUTE FUNCTION refuse_fewer_seals();

-- A card is stored under a key that is there and seals, or not at all. The share of the key's row makes a retirement wait for what is being stored, so that
-- after it no card of its epoch can appear.
CREATE FUNCTION refuse_cards_of_retired_epochs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  usable integer;
BEGIN
  PERFORM 1 FROM public.data_keys k
    WHERE k.purpose = 'card' AND k.retired_at IS NULL AND k.epoch IN (SELECT epoch FROM stored_cards) FOR KEY SHARE;
  GET DIAGNOSTICS usable = ROW_COUNT;
  IF usable <> (SELECT count(DISTINCT epoch) FROM stored_cards) THEN
    RAISE EXCEPTION 'a card was sealed under a retired key' USING ERRCODE = '23514', CONSTRAINT = 'cards_epoch_seals';
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER cards_epoch_seals_at_insert AFTER INSERT ON cards REFERENCING NEW TABLE AS stored_cards
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_cards_of_retired_epochs();
CREATE TRIGGER cards_epoch_seals_at_update AFTER UPDATE ON cards REFERENCING NEW TABLE AS stored_cards
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_cards_of_retired_epochs();

REVOKE ALL ON FUNCTION refuse_cards_of_retired_epochs FROM PUBLIC;
GRANT SELECT, INSERT ON key_ring TO florin_vault_app;
GRANT UPDATE (generation, covered_epoch, seal) ON key_ring TO florin_vault_app;
GRANT INSERT (actor, action, purpose, epoch, kek_id) ON key_events TO florin_vault_app;

-- Down Migration

DROP TRIGGER cards_epoch_seals_at_insert ON cards;
DROP TRIGGER cards_epoch_seals_at_update ON cards;
DROP FUNCTION refuse_cards_of_retired_epochs;
DROP TRIGGER data_keys_seals_rise ON data_keys;
DROP FUNCTION refuse_fewer_seals;
DROP TABLE key_events;
DROP TABLE key_ring;
ALTER TABLE data_keys DROP COLUMN retired_at;
