-- Up Migration

-- Who may hold the live links to a processor: the number of the latest grant, which only rises, and the connectors process that it went to (docs/decisions/0010).
-- A row that is lost or set back would let two processes hold links at once, so it is never removed and its number never falls.
CREATE TABLE link_terms (
  connector text PRIMARY KEY,
  term bigint NOT NULL CHECK (term > 0),
  -- Empty: nobody has had them yet.
  holder text NOT NULL
);

CREATE FUNCTION refuse_lower_link_term() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.term <= OLD.term THEN RAISE EXCEPTION 'the term of a link only rises'; END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER link_terms_rise BEFORE UPDATE ON link_terms FOR EACH ROW EXECUTE FUNCTION refuse_lower_link_term();

GRANT SELECT, INSERT, UPDATE (term, holder) ON link_terms TO florin_switch_app;

-- Down Migration

DROP TABLE link_terms;
DROP FUNCTION refuse_lower_link_term;
