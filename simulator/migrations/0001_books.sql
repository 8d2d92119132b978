-- Up Migration

-- One row per operation that was asked for, by the caller's idempotency key. Authorizations carry the running totals of what followed
-- them, so the invariants are checks of one row. No card number is kept: last four digits and the test card's name only.
CREATE TABLE operations (
  operation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The caller's idempotency key: one key, one effect.
  reference text NOT NULL UNIQUE CHECK (length(reference) BETWEEN 1 AND 64),
  operation text NOT NULL CHECK (operation IN ('authorization', 'capture', 'void', 'refund')),
  -- Null for an authorization.
  authorization_id bigint REFERENCES operations CHECK ((authorization_id IS NULL) = (operation = 'authorization')),
  merchant_id text NOT NULL,
  -- Byte order: pages of the books are cut by comparing ids.
  payment_id text COLLATE "C" NOT NULL,
  merchant_reference text,
  -- Minor units. For a void: what was released.
  amount bigint NOT NULL CHECK (amount BETWEEN 0 AND 999999999999),
  currency char(3) NOT NULL,
  -- Only refunds are pending, succeeded or failed.
  status text NOT NULL CHECK (status IN ('approved', 'declined', 'pending', 'succeeded', 'failed')),
  response_code text NOT NULL,
  auth_code text NOT NULL DEFAULT '',
  avs text NOT NULL DEFAULT '',
  cvv text NOT NULL DEFAULT '',
  card_last4 char(4) NOT NULL,
  card_name text NOT NULL,
  -- Authorizations: the money was taken in the same operation.
  is_captured boolean NOT NULL DEFAULT false,
  -- Running totals of an authorization; 0 elsewhere. A void releases all that is left.
  authorized bigint NOT NULL DEFAULT 0,
  captured bigint NOT NULL DEFAULT 0,
  voided bigint NOT NULL DEFAULT 0,
  refunded bigint NOT NULL DEFAULT 0,
  -- Refunds that will fail do so when they settle, not at once.
  refunds_fail boolean NOT NULL DEFAULT false,
  -- Refunds: when a pending one ends.
  settles_at timestamptz,
  -- How often the caller asked with this key.
  request_count int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT captured_and_voided_within_authorized CHECK (captured + voided <= authorized),
  CONSTRAINT refunded_within_captured CHECK (refunded <= captured),
  CONSTRAINT totals_not_negative CHECK (captured >= 0 AND voided >= 0 AND refunded >= 0)
) WITH (fillfactor = 90);
CREATE INDEX operations_payment ON operations (payment_id);
CREATE INDEX operations_merchant_reference ON operations (merchant_reference) WHERE merchant_reference IS NOT NULL;
CREATE INDEX operations_authorization ON operations (authorization_id) WHERE authorization_id IS NOT NULL;
CREATE INDEX operations_pending_refunds ON operations (settles_at) WHERE status = 'pending';

-- Ends the refunds whose time has come; a failed one gives its amount back to what may be refunded. Of all authorizations when none is
-- given. A row that somebody else is settling is left to him, so two settlers cannot deadlock.
CREATE FUNCTION settle_refunds(one_authorization bigint) RETURNS void LANGUAGE sql AS $$
  WITH due AS (
    SELECT r.operation_id FROM operations r
    WHERE r.status = 'pending' AND r.settles_at <= clock_timestamp() AND (one_authorization IS NULL OR r.authorization_id = one_authorization)
    ORDER BY r.authorization_id, r.operation_id FOR UPDATE SKIP LOCKED
  ), settled AS (
    UPDATE operations r
    SET status = CASE WHEN r.refunds_fail THEN 'failed' ELSE 'succeeded' END,
        response_code = CASE WHEN r.refunds_fail THEN '46' ELSE r.response_code END
    FROM due WHERE r.operation_id = due.operation_id
    RETURNING r.authorization_id, r.amount, r.status
  )
  UPDATE operations a SET refunded = a.refunded - f.amount
  FROM (SELECT authorization_id, sum(amount) AS amount FROM settled WHERE status = 'failed' GROUP BY authorization_id) f
  WHERE a.operation_id = f.authorization_id
$$;

-- Books one capture, void or refund; the answer is the row. The same key again gives the row that is there. No row: no such authorization.
CREATE FUNCTION book_movement(
  the_reference text, the_operation text, by_operation_id bigint, by_reference text, the_amount bigint, the_currency text,
  the_merchant text, refund_delay_ms bigint
) RETURNS SETOF operations LANGUAGE plpgsql AS $$
DECLARE
  a operations;
  code text := '00';
  done bigint;
BEGIN
  RETURN QUERY UPDATE operations o SET request_count = o.request_count + 1 WHERE o.reference = the_reference RETURNING o.*;
  IF FOUND THEN RETURN; END IF;
  SELECT o.* INTO a FROM operations o
    WHERE o.operation = 'authorization' AND (o.operation_id = by_operation_id OR (by_operation_id IS NULL AND o.reference = by_reference))
      AND o.merchant_id = the_merchant
    FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF the_operation = 'refund' THEN
    PERFORM settle_refunds(a.operation_id);
    SELECT o.* INTO a FROM operations o WHERE o.operation_id = a.operation_id;
  END IF;
  done := CASE WHEN the_operation = 'void' THEN a.authorized - a.captured - a.voided ELSE the_amount END;
  IF a.status <> 'approved' OR (the_operation = 'void' AND done <= 0) OR (the_operation = 'capture' AND a.captured + a.voided >= a.authorized)
    THEN code := '12';
  ELSIF the_operation <> 'void' AND the_currency <> a.currency THEN code := '12';
  ELSIF the_operation = 'capture' AND a.captured + a.voided + done > a.authorized THEN code := '13';
  ELSIF the_operation = 'refund' AND a.refunded + done > a.captured THEN code := '13';
  END IF;
  IF code = '00' THEN
    UPDATE operations o SET
      captured = o.captured + CASE WHEN the_operation = 'capture' THEN done ELSE 0 END,
      voided = o.voided + CASE WHEN the_operation = 'void' THEN done ELSE 0 END,
      refunded = o.refunded + CASE WHEN the_operation = 'refund' THEN done ELSE 0 END
      WHERE o.operation_id = a.operation_id;
  END IF;
  RETURN QUERY INSERT INTO operations AS o (
      reference, operation, authorization_id, merchant_id, payment_id, merchant_reference, amount, currency, status, response_code,
      card_last4, card_name, refunds_fail, settles_at)
    VALUES (the_reference, the_operation, a.operation_id, a.merchant_id, a.payment_id, a.merchant_reference, done,
      CASE WHEN the_operation = 'void' THEN a.currency ELSE the_currency END,
      CASE WHEN code <> '00' THEN 'declined' WHEN the_operation = 'refund' THEN 'pending' ELSE 'approved' END, code,
      a.card_last4, a.card_name, a.refunds_fail,
      CASE WHEN code = '00' AND the_operation = 'refund' THEN clock_timestamp() + refund_delay_ms * interval '1 millisecond' END)
    RETURNING o.*;
END
$$;

-- The process may add, count repeats and move totals; it removes nothing.
GRANT SELECT, INSERT, UPDATE ON operations TO florin_simulator_app;
REVOKE ALL ON FUNCTION settle_refunds FROM PUBLIC;
REVOKE ALL ON FUNCTION book_movement FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settle_refunds TO florin_simulator_app;
GRANT EXECUTE ON FUNCTION book_movement TO florin_simulator_app;

-- Down Migration

DROP FUNCTION book_movement;
DROP FUNCTION settle_refunds;
DROP TABLE operations;
