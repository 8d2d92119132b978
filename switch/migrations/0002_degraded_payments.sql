-- Up Migration

-- Payments with an operation that ran while the idempotency cache was away or had forgotten: the database alone kept it to one charge.
-- Written in the statement that appends the intent, and only then; so the list is complete, and a day with a cache costs nothing for it.
-- Its key is the order of a merchant's list. `marked_at` is when the first such operation began.
CREATE TABLE degraded_payments (
  merchant_id uuid NOT NULL,
  is_live boolean NOT NULL,
  payment_id uuid NOT NULL,
  marked_at timestamptz NOT NULL,
  PRIMARY KEY (merchant_id, is_live, payment_id)
);

-- A mark is never taken back.
GRANT SELECT, INSERT ON degraded_payments TO florin_switch_app;

-- Down Migration

DROP TABLE degraded_payments;
