-- Up Migration

-- Key pairs of the vault for cards that browsers encrypt. Short-lived: an old one is deleted, and with it what was recorded on the way can be opened by nobody.
CREATE TABLE envelope_keys (
  generation integer PRIMARY KEY CHECK (generation >= 1),
  -- RFC 7638 thumbprint of the public key: a wrapped key that was swapped does not fit its name.
  kid text NOT NULL UNIQUE,
  -- RFC 3394 (AES key wrap) of the private scalar, 32 bytes.
  wrapped_key bytea NOT NULL CHECK (octet_length(wrapped_key) = 40),
  kek_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Which encrypted cards were taken: each makes one token. The time is the one in the authenticated header, so old rows go by the primary key.
CREATE TABLE used_envelopes (
  -- Seconds since 1970.
  issued_at bigint NOT NULL,
  jti uuid NOT NULL,
  PRIMARY KEY (issued_at, jti)
);

-- On which pages the card fields of this key may stand: "https://shop.example". Empty: on any.
ALTER TABLE publishable_keys ADD COLUMN origins text[] NOT NULL DEFAULT '{}';

GRANT SELECT, INSERT, DELETE ON envelope_keys TO florin_vault_app;
GRANT SELECT, INSERT, DELETE ON used_envelopes TO florin_vault_app;

-- Down Migration

ALTER TABLE publishable_keys DROP COLUMN origins;
DROP TABLE used_envelopes;
DROP TABLE envelope_keys;
