-- Up Migration

-- Drawn inside the append statement, after the transaction has its id: see store/log-tail.ts for why that order matters.
CREATE SEQUENCE payment_events_position AS bigint;

-- One row per transition of one payment: state, audit record, outbox and guard at once. Append-only.
-- `payment_id` begins with 48 bits of Unix milliseconds, so partitions by it are partitions by time.
CREATE TABLE payment_events (
  payment_id uuid NOT NULL,
  seq integer NOT NULL,
  merchant_id uuid NOT NULL,
  position bigint NOT NULL,
  occurred_at timestamptz NOT NULL,
  type text NOT NULL,
  status text NOT NULL,
  is_live boolean NOT NULL,
  currency char(3) NOT NULL,
  amount bigint NOT NULL,
  authorized bigint NOT NULL,
  captured bigint NOT NULL,
  capture_pending bigint NOT NULL,
  released bigint NOT NULL,
  refunded bigint NOT NULL,
  refund_pending bigint NOT NULL,
  operation_id uuid,
  merchant_reference text,
  body bytea NOT NULL,
  CONSTRAINT payment_events_sequence CHECK (seq >= 1),
  CONSTRAINT payment_events_money CHECK (
    amount > 0 AND authorized >= 0 AND captured >= 0 AND capture_pending >= 0 AND released >= 0 AND refunded >= 0 AND refund_pending >= 0
    AND authorized <= amount
    AND captured + capture_pending + released <= authorized
    AND refunded + refund_pending <= captured
  ),
  PRIMARY KEY (payment_id, seq, merchant_id)
) PARTITION BY RANGE (payment_id);

-- For the relay and everybody who follows the log.
CREATE INDEX payment_events_by_position ON payment_events (position);
-- For lists: a payment's first row alone, so an authorization pays for one small entry and its later rows for none.
CREATE INDEX payment_events_first_by_merchant ON payment_events (merchant_id, is_live, payment_id) WHERE seq = 1;
CREATE INDEX payment_events_first_by_reference ON payment_events (merchant_id, merchant_reference, payment_id)
  WHERE seq = 1 AND merchant_reference IS NOT NULL;
-- For the follow-up of operations that nobody can answer yet. Rare rows, so the hot path pays next to nothing.
CREATE INDEX payment_events_unsettled ON payment_events (position)
  WHERE type IN ('authorization_unknown', 'capture_unknown', 'void_unknown', 'refund_unknown', 'refund_accepted');

-- The right to call a processor: one row per key of a merchant, written in the same statement as the intent.
-- A key in test mode and the same key in live mode are two keys.
CREATE TABLE idempotency_keys (
  merchant_id uuid NOT NULL,
  is_live boolean NOT NULL,
  key text NOT NULL,
  request_hash bytea NOT NULL,
  payment_id uuid NOT NULL,
  intent_seq integer NOT NULL,
  operation_id uuid,
  created_at timestamptz NOT NULL,
  CONSTRAINT idempotency_keys_length CHECK (length(key) BETWEEN 1 AND 255),
  PRIMARY KEY (merchant_id, key, is_live)
);

CREATE TABLE unique_references (
  merchant_id uuid NOT NULL,
  is_live boolean NOT NULL,
  reference text NOT NULL,
  payment_id uuid NOT NULL,
  PRIMARY KEY (merchant_id, reference, is_live)
);

-- Cards, BINs and addresses that are refused; without a merchant: for all of them. Kept by operators, read by the switch.
CREATE TABLE fraud_blocks (
  kind text NOT NULL CHECK (kind IN ('card_fingerprint', 'bin', 'ip')),
  value text NOT NULL CHECK (value <> ''),
  merchant_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  UNIQUE NULLS NOT DISTINCT (kind, value, merchant_id)
);

-- How far background work has come. Losing a row costs repeated reading, nothing else.
CREATE TABLE worker_checkpoints (name text PRIMARY KEY, value bigint NOT NULL);

-- Holds that the expiry sweep met too early or while an operation was under way; see workers/expire-authorizations.ts.
CREATE TABLE expiry_postponed (
  merchant_id uuid NOT NULL,
  payment_id uuid NOT NULL,
  due_at timestamptz NOT NULL,
  PRIMARY KEY (merchant_id, payment_id)
);
CREATE INDEX expiry_postponed_by_due ON expiry_postponed (due_at);

-- The lowest payment id of a moment.
CREATE FUNCTION payment_id_at(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes the monthly partitions from last month to `months_ahead` months from now; safe to repeat and to run twice at once.
-- A table is made first and then attached, which does not stop readers and writers of the log. It runs with the owner's rights,
-- so the application needs none on the table itself.
CREATE FUNCTION ensure_log_partitions(months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  month timestamp;
  name text;
  made integer := 0;
BEGIN
  IF months_ahead NOT BETWEEN 0 AND 24 THEN RAISE EXCEPTION 'months_ahead is from 0 to 24'; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('ensure_log_partitions'));
  FOR step IN -1..months_ahead LOOP
    month := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => step);
    name := 'payment_events_' || to_char(month, 'YYYY_MM');
    CONTINUE WHEN to_regclass(name) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE payment_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', name);
    EXECUTE format('ALTER TABLE payment_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
      payment_id_at(month AT TIME ZONE 'UTC'), payment_id_at((month + interval '1 month') AT TIME ZONE 'UTC'));
    made := made + 1;
  END LOOP;
  RETURN made;
END
$$;

-- Ends the append statement, and with it the transaction, when a member claimed its key and lost its reference to another writer.
CREATE FUNCTION florin_abort_batch() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a member of the batch lost a race' USING ERRCODE = 'FL001';
END
$$;

SELECT ensure_log_partitions(3);

-- No UPDATE, DELETE or TRUNCATE on what is a record of money.
GRANT SELECT, INSERT ON payment_events, idempotency_keys, unique_references TO florin_switch_app;
GRANT SELECT, USAGE ON SEQUENCE payment_events_position TO florin_switch_app;
GRANT SELECT ON fraud_blocks TO florin_switch_app;
GRANT SELECT, INSERT, UPDATE ON worker_checkpoints TO florin_switch_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON expiry_postponed TO florin_switch_app;
REVOKE ALL ON FUNCTION ensure_log_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_log_partitions TO florin_switch_app;

-- Down Migration

DROP TABLE payment_events, idempotency_keys, unique_references, fraud_blocks, worker_checkpoints, expiry_postponed;
DROP SEQUENCE payment_events_position;
DROP FUNCTION ensure_log_partitions, payment_id_at, florin_abort_batch;
