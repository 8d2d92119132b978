-- Up Migration

-- One account holds one currency. Names are made by domain/account.ts.
CREATE TABLE accounts (
  account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  currency char(3) NOT NULL,
  UNIQUE (name, currency)
);

-- Append-only. A transfer is two entries, a debit and a credit of the same amount, so the books balance row by row.
-- (position, leg) is where it came from in the payment log. An event belongs to one payment, so the key lets no event be posted twice and
-- lists a payment's transfers besides; a rebuild gives the same keys.
CREATE TABLE transfers (
  position bigint NOT NULL,
  leg smallint NOT NULL CHECK (leg BETWEEN 0 AND 7),
  is_pending boolean NOT NULL,
  debit_account_id bigint NOT NULL,
  credit_account_id bigint NOT NULL CHECK (credit_account_id <> debit_account_id),
  amount bigint NOT NULL CHECK (amount > 0),
  occurred_at timestamptz NOT NULL,
  payment_id uuid NOT NULL,
  purpose text NOT NULL,
  event_type text NOT NULL,
  PRIMARY KEY (payment_id, position, leg)
);
CREATE INDEX transfers_debit ON transfers (debit_account_id, position);
CREATE INDEX transfers_credit ON transfers (credit_account_id, position);

-- Sums of the entries, one row per account. Half-empty pages and no index on a sum keep every update inside its page (HOT).
CREATE TABLE balances (
  account_id bigint PRIMARY KEY,
  debits_posted bigint NOT NULL CHECK (debits_posted >= 0),
  credits_posted bigint NOT NULL CHECK (credits_posted >= 0),
  debits_pending bigint NOT NULL CHECK (debits_pending >= 0),
  credits_pending bigint NOT NULL CHECK (credits_pending >= 0)
) WITH (fillfactor = 50);

-- How far each of the 16 partitions of the log is posted, for ever: what makes posting happen exactly once. One row, moved by compare and set.
CREATE TABLE progress (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  positions bigint[] NOT NULL CHECK (cardinality(positions) = 16)
) WITH (fillfactor = 10);
INSERT INTO progress (positions) VALUES (array_fill(0::bigint, ARRAY[16]));

-- Posts one batch in one transaction. FL001: somebody else moved the positions; nothing was done.
CREATE FUNCTION post_batch(
  expected bigint[], through bigint[],
  t_position bigint[], t_leg smallint[], t_is_pending boolean[], t_debit bigint[], t_credit bigint[], t_amount bigint[],
  t_occurred_at_ms bigint[], t_payment uuid[], t_purpose text[], t_event_type text[],
  b_account bigint[], b_debits_posted bigint[], b_credits_posted bigint[], b_debits_pending bigint[], b_credits_pending bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- First, so that a second poster waits here and then finds the positions moved.
  UPDATE progress SET positions = through WHERE is_only AND positions = expected;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the positions have moved' USING ERRCODE = 'FL001';
  END IF;
  INSERT INTO transfers (position, leg, is_pending, debit_account_id, credit_account_id, amount, occurred_at, payment_id, purpose, event_type)
    SELECT m.position, m.leg, m.is_pending, m.debit, m.credit, m.amount,
           timestamptz 'epoch' + m.occurred_at_ms * interval '1 millisecond', m.payment, m.purpose, m.event_type
    FROM unnest(t_position, t_leg, t_is_pending, t_debit, t_credit, t_amount, t_occurred_at_ms, t_payment, t_purpose, t_event_type)
      AS m (position, leg, is_pending, debit, credit, amount, occurred_at_ms, payment, purpose, event_type);
  -- The arrays are sorted by account: two posters could not deadlock.
  INSERT INTO balances AS b (account_id, debits_posted, credits_posted, debits_pending, credits_pending)
    SELECT m.account, m.debits_posted, m.credits_posted, m.debits_pending, m.credits_pending
    FROM unnest(b_account, b_debits_posted, b_credits_posted, b_debits_pending, b_credits_pending)
      AS m (account, debits_posted, credits_posted, debits_pending, credits_pending)
  ON CONFLICT (account_id) DO UPDATE SET
    debits_posted = b.debits_posted + excluded.debits_posted,
    credits_posted = b.credits_posted + excluded.credits_posted,
    debits_pending = b.debits_pending + excluded.debits_pending,
    credits_pending = b.credits_pending + excluded.credits_pending;
END
$$;

-- The process may add and read; nobody but the owner can change or remove what was posted.
GRANT SELECT, INSERT ON accounts, transfers TO florin_ledger_app;
GRANT SELECT, INSERT, UPDATE ON balances TO florin_ledger_app;
GRANT SELECT, UPDATE ON progress TO florin_ledger_app;
REVOKE ALL ON FUNCTION post_batch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION post_batch TO florin_ledger_app;

-- Down Migration

DROP FUNCTION post_batch;
DROP TABLE progress, balances, transfers, accounts;
