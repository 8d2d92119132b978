-- Up Migration

-- Who may call the edge. Small and read by primary key only; on a distributed PostgreSQL both are reference tables, because a key is
-- looked up before its merchant is known.
CREATE TABLE merchants (
  merchant_id uuid PRIMARY KEY,
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
  -- The public part of the key, 16 characters of Crockford base 32: what logs and audit trails show.
  key_id text PRIMARY KEY CHECK (key_id ~ '^[0-9a-hjkmnp-tv-z]{16}$'),
  merchant_id uuid NOT NULL REFERENCES merchants (merchant_id),
  mode text NOT NULL CHECK (mode IN ('test', 'live')),
  -- HMAC-SHA256 over the whole key under the pepper, which is not in this database.
  key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  -- From here on the key is refused. Caches notice within their time to live.
  revoked_at timestamptz
);
CREATE INDEX api_keys_of_merchant ON api_keys (merchant_id);

-- The process only looks keys up. Names of merchants are none of its business.
GRANT SELECT ON api_keys TO florin_edge_app;

-- Down Migration

DROP TABLE api_keys;
DROP TABLE merchants;
