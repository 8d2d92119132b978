-- Up Migration

-- The house's settings, version by version: what was decided, by whom, when and why. A version is never changed; going back makes a new one.
-- The key is the guard against two people at once: both make the version after the one they read, and one of them is told.
CREATE TABLE settings_versions (
  version integer PRIMARY KEY,
  document jsonb NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now(),
  made_by text NOT NULL,
  note text NOT NULL,
  rolled_back_to integer,
  CONSTRAINT settings_versions_number CHECK (version >= 1),
  CONSTRAINT settings_versions_person CHECK (length(made_by) BETWEEN 1 AND 200),
  CONSTRAINT settings_versions_note CHECK (length(note) <= 500),
  CONSTRAINT settings_versions_back CHECK (rolled_back_to < version)
);

-- When a version was made is the database's to say.
GRANT SELECT ON settings_versions TO florin_switch_app;
GRANT INSERT (version, document, made_by, note, rolled_back_to) ON settings_versions TO florin_switch_app;

-- Which version each running replica works by. No record: a replica writes its row anew every few seconds, and rows of the dead are removed.
CREATE TABLE settings_replicas (
  replica text PRIMARY KEY,
  version integer NOT NULL,
  unread_version integer NOT NULL,
  applied_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON settings_replicas TO florin_switch_app;

-- Down Migration

DROP TABLE settings_replicas;
DROP TABLE settings_versions;
