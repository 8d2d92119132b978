-- Up Migration

-- Declined tries of a card at a merchant, which the card networks limit: at most some per day and month, and none after certain answers.
-- One row per declined attempt, forgotten after a month. The fingerprint is the vault's keyed one: no card number can be made of it.
CREATE TABLE card_declines (
  merchant_id uuid NOT NULL,
  card_fingerprint text NOT NULL,
  attempt_id uuid NOT NULL,
  declined_at timestamptz NOT NULL,
  is_category_one boolean NOT NULL,
  PRIMARY KEY (merchant_id, card_fingerprint, attempt_id)
);
-- For forgetting.
CREATE INDEX card_declines_by_age ON card_declines (declined_at);

GRANT SELECT, INSERT, DELETE ON card_declines TO florin_switch_app;

-- Down Migration

DROP TABLE card_declines;
