-- Up Migration

-- A reversal undoes an operation by the caller's reference of it. What is reversed counts nowhere any more: an authorization's totals go
-- to zero, a capture is given back. One that has not been received is written down as reversed, so that it has no effect when it comes.
ALTER TABLE operations DROP CONSTRAINT operations_operation_check, DROP CONSTRAINT operations_status_check, DROP CONSTRAINT operations_check;
ALTER TABLE operations
  ADD CONSTRAINT operations_operation_check CHECK (operation IN ('authorization', 'capture', 'void', 'refund', 'reversal')),
  ADD CONSTRAINT operations_status_check CHECK (status IN ('approved', 'declined', 'pending', 'succeeded', 'failed', 'reversed')),
  -- Null for an authorization, and for a reversal of something of which no authorization is known.
  ADD CONSTRAINT operations_authorization_check CHECK (operation = 'reversal' OR (authorization_id IS NULL) = (operation = 'authorization'));

-- Books one reversal; the answer is its row. The same key again gives the row that is there. Declined (12) is what cannot be undone: a void,
-- a settled refund, a capture that was refunded.
CREATE FUNCTION book_reversal(
  the_reference text, of_reference text, of_operation text, authorization_reference text, the_merchant text, the_payment text,
  the_amount bigint, the_currency text
) RETURNS SETOF operations LANGUAGE plpgsql AS $$
DECLARE
  a operations;
  o operations;
  code text := '00';
BEGIN
  RETURN QUERY UPDATE operations r SET request_count = r.request_count + 1 WHERE r.reference = the_reference RETURNING r.*;
  IF FOUND THEN RETURN; END IF;
  SELECT r.* INTO a FROM operations r
    WHERE r.reference = authorization_reference AND r.operation = 'authorization' AND r.merchant_id = the_merchant FOR UPDATE;
  IF of_operation = 'authorization' OR a.operation_id IS NOT NULL THEN
    INSERT INTO operations (reference, operation, authorization_id, merchant_id, payment_id, amount, currency, status, response_code, card_last4,
        card_name)
      VALUES (of_reference, of_operation, CASE WHEN of_operation <> 'authorization' THEN a.operation_id END, the_merchant, the_payment,
        the_amount, the_currency, 'reversed', '00', '0000', 'reversed before it came')
      ON CONFLICT (reference) DO NOTHING;
  END IF;
  SELECT r.* INTO o FROM operations r WHERE r.reference = of_reference AND r.operation = of_operation AND r.merchant_id = the_merchant FOR UPDATE;
  IF o.operation = 'authorization' AND o.status = 'approved' THEN
    UPDATE operations r SET status = 'reversed', authorized = 0, captured = 0, voided = 0, refunded = 0 WHERE r.operation_id = o.operation_id;
  ELSIF o.operation = 'capture' AND o.status = 'approved' AND a.captured - a.refunded >= o.amount THEN
    UPDATE operations r SET captured = r.captured - o.amount WHERE r.operation_id = a.operation_id;
    UPDATE operations r SET status = 'reversed' WHERE r.operation_id = o.operation_id;
  ELSIF o.operation = 'refund' AND o.status = 'pending' THEN
    UPDATE operations r SET refunded = r.refunded - o.amount WHERE r.operation_id = a.operation_id;
    UPDATE operations r SET status = 'reversed' WHERE r.operation_id = o.operation_id;
  ELSIF o.status IN ('approved', 'succeeded', 'pending') THEN code := '12';
  END IF;
  RETURN QUERY INSERT INTO operations AS r (reference, operation, authorization_id, merchant_id, payment_id, amount, currency, status,
      response_code, card_last4, card_name)
    VALUES (the_reference, 'reversal', a.operation_id, the_merchant, the_payment, the_amount, the_currency,
      CASE WHEN code = '00' THEN 'approved' ELSE 'declined' END, code, coalesce(a.card_last4, '0000'), coalesce(a.card_name, ''))
    RETURNING r.*;
END
$$;
REVOKE ALL ON FUNCTION book_reversal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION book_reversal TO florin_simulator_app;

-- Down Migration

DROP FUNCTION book_reversal;
