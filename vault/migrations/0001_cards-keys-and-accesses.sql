-- Up Migration

-- Publishable keys: who may hand in cards, for which merchant. Read by primary key before the merchant is known.
CREATE TABLE publishable_keys (
  -- HMAC-SHA256 over the whole key under the pepper, which is not in this database.
  key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
  merchant_id uuid NOT NULL,
  mode text NOT NULL CHECK (mode IN ('test', 'live')),
  created_at timestamptz NOT NULL DEFAULT now(),
  -- From here on the key is refused. Caches notice within their time to live.
  revoked_at timestamptz
);
CREATE INDEX publishable_keys_of_merchant ON publishable_keys (merchant_id);

-- Root keys, wrapped by the key-encryption key. Keys of merchants are derived from them and stored nowhere.
CREATE TABLE data_keys (
  purpose text NOT NULL CHECK (purpose IN ('card', 'fingerprint')),
  epoch integer NOT NULL CHECK (epoch >= 1),
  -- RFC 3394 (AES key wrap) of 32 bytes.
  wrapped_key bytea NOT NULL CHECK (octet_length(wrapped_key) = 40),
  -- Keyed check over purpose and epoch: wrapped keys that were swapped between rows do not pass it.
  key_check bytea NOT NULL CHECK (octet_length(key_check) = 16),
  -- Which key-encryption key wrapped it.
  kek_id text NOT NULL,
  -- Seals handed out to processes, in blocks, before they are used. The hard stop for random 96-bit nonces: 2^31 per key.
  seals_reserved bigint NOT NULL DEFAULT 0 CHECK (seals_reserved BETWEEN 0 AND 2147483648),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (purpose, epoch)
);

-- One row per token. Nothing here is a card number, in clear or as a plain hash.
CREATE TABLE cards (
  merchant_id uuid NOT NULL,
  -- 128 random bits; shown as tok_… .
  token_id uuid NOT NULL,
  mode text NOT NULL CHECK (mode IN ('test', 'live')),
  epoch integer NOT NULL,
  -- nonce (12 bytes), ciphertext, tag (16 bytes): number, billing and name under the merchant's key of this epoch.
  sealed bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 40 AND 2048),
  brand text NOT NULL,
  -- First six or eight digits, and the last four: what PCI DSS lets stand in clear.
  bin text NOT NULL CHECK (bin ~ '^([0-9]{6}|[0-9]{8})$'),
  last4 char(4) NOT NULL CHECK (last4 ~ '^[0-9]{4}$'),
  exp_month smallint NOT NULL CHECK (exp_month BETWEEN 1 AND 12),
  exp_year smallint NOT NULL CHECK (exp_year BETWEEN 2000 AND 2199),
  funding text NOT NULL CHECK (funding IN ('credit', 'debit', 'prepaid', 'unknown')),
  -- Keyed, per merchant: the same card of the same merchant has the same one.
  fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (merchant_id, token_id)
);

-- One row per batch of access records, written with them: makes a repeated batch harmless, and a removed record visible, because numbers of
-- one writer have no gaps. One index entry per batch instead of one per record.
CREATE TABLE access_batches (
  -- One run of one vault process.
  writer_id uuid NOT NULL,
  first_seq bigint NOT NULL CHECK (first_seq >= 1),
  records integer NOT NULL CHECK (records >= 1),
  written_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (writer_id, first_seq)
);

-- Who opened which card, why and for which payment. Append-only, by month. Written far more often than read, so there is no index but on time: an
-- auditor asks for a time and filters.
CREATE TABLE access_log (
  writer_id uuid NOT NULL,
  -- 1, 2, 3 … per writer.
  seq bigint NOT NULL,
  accessed_at timestamptz NOT NULL,
  merchant_id uuid NOT NULL,
  payment_id uuid NOT NULL,
  token text NOT NULL,
  -- Name in the caller's certificate.
  caller text NOT NULL,
  purpose text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('opened', 'not_found', 'unreadable'))
) PARTITION BY RANGE (accessed_at);
CREATE INDEX access_log_time ON access_log USING brin (accessed_at);

-- Makes the partitions of this month and the next `months_ahead` ones where they are missing; the number of those it made. Runs as the owner, so that the
-- process's role can have room made for its rows and change nothing else.
CREATE FUNCTION make_access_log_partitions(months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  first_day timestamptz;
  partition_name text;
  made integer := 0;
BEGIN
  -- Two processes at once would trip over the same name.
  PERFORM pg_advisory_xact_lock(2147031);
  FOR month IN 0..least(greatest(months_ahead, 0), 24) LOOP
    first_day := date_trunc('month', now()) + month * interval '1 month';
    partition_name := 'access_log_' || to_char(first_day, 'YYYY_MM');
    IF to_regclass('public.' || partition_name) IS NULL THEN
      EXECUTE format('CREATE TABLE public.%I PARTITION OF public.access_log FOR VALUES FROM (%L) TO (%L)',
        partition_name, first_day, first_day + interval '1 month');
      made := made + 1;
    END IF;
  END LOOP;
  RETURN made;
END
$$;
SELECT make_access_log_partitions(2);

-- The process adds and reads; nobody but the owner can change or remove a card or an access. Of a data key only the count of reserved seals moves.
GRANT SELECT ON publishable_keys TO florin_vault_app;
GRANT SELECT, INSERT ON cards TO florin_vault_app;
GRANT SELECT, INSERT ON data_keys TO florin_vault_app;
GRANT UPDATE (seals_reserved) ON data_keys TO florin_vault_app;
GRANT SELECT, INSERT ON access_batches TO florin_vault_app;
GRANT INSERT ON access_log TO florin_vault_app;
REVOKE ALL ON FUNCTION make_access_log_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_access_log_partitions TO florin_vault_app;

-- Down Migration

DROP TABLE access_log;
DROP TABLE access_batches;
DROP FUNCTION make_access_log_partitions;
DROP TABLE cards;
DROP TABLE data_keys;
DROP TABLE publishable_keys;
