-- Up Migration

-- What the ISO 8583 host approved, by terminal: its side of a reconciliation. A message belongs where its own transmission time (DE 7, MMDDhhmmss) says, and once.
CREATE TABLE terminal_journal (
  reference text PRIMARY KEY,
  terminal text NOT NULL,
  currency char(3) NOT NULL,
  kind text NOT NULL CHECK (kind IN ('authorization', 'debit', 'credit', 'debit_reversal', 'credit_reversal')),
  amount bigint NOT NULL CHECK (amount >= 0),
  transmission char(10) NOT NULL,
  booked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX terminal_journal_by_time ON terminal_journal (terminal, currency, transmission);
GRANT SELECT, INSERT ON terminal_journal TO florin_simulator_app;

-- Down Migration

DROP TABLE terminal_journal;
