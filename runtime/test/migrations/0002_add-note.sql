-- Up Migration
ALTER TABLE numbers ADD COLUMN note text;

-- Down Migration
ALTER TABLE numbers DROP COLUMN note;
