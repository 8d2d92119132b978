-- Up Migration
CREATE TABLE numbers (n bigint PRIMARY KEY CONSTRAINT numbers_positive CHECK (n > 0));
-- Another start of the same migration must wait here, not fail.
SELECT pg_sleep(0.2);
GRANT SELECT, INSERT ON numbers TO florin_kit_app;

-- Down Migration
DROP TABLE numbers;
