/**
 * The one statement that writes the payment log: arrays in, an answer per member out, one commit.
 *
 * A member is a row of the log and, for an intent, the idempotency key (and the unique reference) that goes with it: all or none.
 *
 * - The bodies come as one value, each named by its place in it: as an array they would be copied letter by letter.
 * - `own` forces the transaction's id, and `placed` asks for it before it draws a position: the commit-safe order of log-tail.ts relies on it.
 * - `judged` finds out what is taken already, so that a beaten member claims nothing. `LIMIT 1` and not `EXISTS`: the planner may answer an
 *   EXISTS from a hash table of the whole log, and a plan that it made while the log was small stays for good.
 * - Another writer can still win between this statement's snapshot and its insert. Then either the primary key of the log refuses the
 *   row (SQLSTATE 23505) or `florin_abort_batch()` is called (FL001). Both roll everything back, and the writer repeats member by member.
 */
export const appendStatement = statement("");

/**
 * The same for a batch in which an intent was decided without the cache: `$24` holds the payments to list for their merchants and for whoever
 * looks into the outage. A statement of its own, so that the usual one pays nothing for it. Sorted as the keys are, for the same reason.
 */
export const appendDegradedStatement = statement(`,
marked AS (
  -- index: degraded_payments_pkey
  INSERT INTO degraded_payments (merchant_id, is_live, payment_id, marked_at)
  SELECT merchant_id, is_live, payment_id, timestamptz 'epoch' + occurred_at_ms * interval '1 millisecond'
  FROM placed WHERE position IS NOT NULL AND key IS NOT NULL AND payment_id = ANY ($24::uuid[]) ORDER BY merchant_id, is_live, payment_id
  ON CONFLICT DO NOTHING
)`);

function statement(more: string): string {
  return `
WITH own AS MATERIALIZED (SELECT pg_current_xact_id() AS transaction),
judged AS MATERIALIZED (
  SELECT m.*, own.transaction,
    -- index: payment_events_pkey. A first row has a fresh random id: nobody else can have written it.
    seq > 1 AND (SELECT true FROM payment_events e WHERE e.payment_id = m.payment_id AND e.seq = m.seq LIMIT 1) IS NOT NULL
      AS is_seq_taken,
    -- index: unique_references_pkey
    is_unique_reference AND (SELECT true FROM unique_references r WHERE r.merchant_id = m.merchant_id AND r.is_live = m.is_live
      AND r.reference = m.merchant_reference LIMIT 1) IS NOT NULL AS is_reference_taken
  FROM own CROSS JOIN
    unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::boolean[], $8::text[], $9::bigint[], $10::bigint[],
           $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::uuid[], $17::text[], $18::int[], $19::int[],
           $20::text[], $21::bytea[], $22::boolean[])
    WITH ORDINALITY AS m (payment_id, seq, merchant_id, occurred_at_ms, type, status, is_live, currency, amount, authorized,
      captured, capture_pending, released, refunded, refund_pending, operation_id, merchant_reference, body_start, body_length,
      key, request_hash, is_unique_reference, place)
),
claimed AS (
  -- index: idempotency_keys_pkey. Members come sorted by key, so two batches cannot wait for each other crosswise.
  INSERT INTO idempotency_keys (merchant_id, is_live, key, request_hash, payment_id, intent_seq, operation_id, created_at)
  SELECT merchant_id, is_live, key, request_hash, payment_id, seq, operation_id, timestamptz 'epoch' + occurred_at_ms * interval '1 millisecond'
  FROM judged WHERE key IS NOT NULL AND NOT is_seq_taken AND NOT is_reference_taken ORDER BY place
  ON CONFLICT DO NOTHING
  RETURNING merchant_id, is_live, key
),
referenced AS (
  -- index: unique_references_pkey. Sorted by itself for the same reason.
  INSERT INTO unique_references (merchant_id, is_live, reference, payment_id)
  SELECT j.merchant_id, j.is_live, j.merchant_reference, j.payment_id
  FROM judged j JOIN claimed USING (merchant_id, is_live, key) WHERE j.is_unique_reference ORDER BY j.merchant_id, j.merchant_reference
  ON CONFLICT DO NOTHING
  RETURNING payment_id
),
placed AS MATERIALIZED (
  SELECT v.*, CASE WHEN verdict = 'appended' AND transaction IS NOT NULL THEN nextval('payment_events_position') END AS position FROM (
    SELECT j.*,
      CASE
        WHEN is_seq_taken THEN 'conflict'
        WHEN is_reference_taken THEN 'reference_taken'
        WHEN j.key IS NOT NULL AND c.key IS NULL THEN 'key_taken'
        WHEN j.is_unique_reference AND j.payment_id NOT IN (SELECT payment_id FROM referenced) AND florin_abort_batch() THEN ''
        ELSE 'appended'
      END AS verdict
    FROM judged j LEFT JOIN claimed c ON c.merchant_id = j.merchant_id AND c.is_live = j.is_live AND c.key = j.key OFFSET 0
  ) v
),
appended AS (
  INSERT INTO payment_events (payment_id, seq, merchant_id, position, occurred_at, type, status, is_live, currency, amount, authorized, captured,
    capture_pending, released, refunded, refund_pending, operation_id, merchant_reference, body)
  SELECT payment_id, seq, merchant_id, position, timestamptz 'epoch' + occurred_at_ms * interval '1 millisecond',
    type, status, is_live, currency, amount, authorized, captured, capture_pending, released, refunded, refund_pending,
    operation_id, merchant_reference, substring($23::bytea FROM body_start FOR body_length)
  FROM placed WHERE position IS NOT NULL
)${more}
SELECT position, verdict FROM placed ORDER BY place`;
}
