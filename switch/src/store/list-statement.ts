/**
 * The statement behind one page of a list, said apart from running it, so that tests and the bench explain exactly what production runs.
 *
 * It walks first rows from the newest downwards, along an index that holds nothing else, and looks up the newest row of each; whether a
 * payment belongs to the list is asked of that row. It is lazy from the inside out: it ends as soon as the page is full, and after
 * `examinedMax` payments at the latest. The last of these comes back even if it does not match, because a search that goes on later
 * must go on below it. All in one statement, hence in one snapshot: between two, a payment could be passed over or shown twice.
 */
export type ListBounds = {
  readonly merchantUuid: string;
  readonly isLive: boolean;
  /** Payments with lower ids. */
  readonly beforeUuid: string;
  /** Payments with this id or higher ones. */
  readonly fromUuid: string;
  readonly status: string | undefined;
  readonly merchantReference: string | undefined;
  /** Only payments that are marked as degraded. */
  readonly isDegraded: boolean;
  readonly matchesMax: number;
};

export type ListStatement = { readonly text: string; readonly parameters: (string | number | boolean)[] };

/** `body` is null when the payment is not of the list; then it is the last one that was looked at. */
export type ListRow = { readonly payment_id: string; readonly is_last_examined: boolean; readonly body: Uint8Array | null };

/**
 * Goes before the statement, in its transaction. From its sixth run on, PostgreSQL may plan a prepared statement for bounds it does not
 * know: it then takes a merchant's payments for a few dozen, and reads and sorts all of them for each page. A plan that may not sort has
 * to walk the index, whatever the statistics say.
 */
export const walkInOrder = "SET LOCAL enable_sort = off";

/** Payments looked at for one page. Each may lie in a disk page of its own, so this is what bounds a search, not the length of a history. */
export const examinedMax = 1_000;

export function listStatement(bounds: ListBounds): ListStatement {
  const { merchantReference, status, isDegraded } = bounds;
  const parameters = [bounds.merchantUuid, bounds.isLive, bounds.beforeUuid, bounds.fromUuid, bounds.matchesMax];
  const place = (value: string): string => `$${parameters.push(value)}`;
  // The index by reference does not know the mode: another mode's payments with the same reference count as looked at.
  const byReference =
    merchantReference === undefined ? undefined : `payment_events WHERE seq = 1 AND merchant_reference = ${place(merchantReference)}`;
  const all = isDegraded ? "degraded_payments WHERE is_live = $2" : "payment_events WHERE seq = 1 AND is_live = $2";
  const match = status === undefined ? "is_live = $2" : `is_live = $2 AND status = ${place(status)}`;
  return { text: textOf(byReference ?? all, isDegraded && byReference !== undefined ? `${match} AND ${isMarked}` : match), parameters };
}

/** index: degraded_payments_pkey. `LIMIT 1` and not `EXISTS`, which may be answered from a hash table of all marks. */
const isMarked = `(SELECT true FROM degraded_payments d
  WHERE d.merchant_id = e.merchant_id AND d.is_live = e.is_live AND d.payment_id = e.payment_id LIMIT 1) IS NOT NULL`;

/**
 * index: payment_events_first_by_merchant, payment_events_first_by_reference when one is given, degraded_payments_pkey when only those are
 * asked for; then payment_events_pkey
 */
function textOf(walk: string, match: string): string {
  return `
    SELECT examined.payment_id, examined.place = ${examinedMax} AS is_last_examined, CASE WHEN newest.is_match THEN newest.body END AS body
    FROM (
      SELECT payment_id, row_number() OVER (ORDER BY payment_id DESC) AS place
      FROM (
        SELECT payment_id FROM ${walk} AND merchant_id = $1::uuid AND payment_id < $3::uuid AND payment_id >= $4::uuid
        ORDER BY payment_id DESC LIMIT ${examinedMax}
      ) first
    ) examined
    CROSS JOIN LATERAL (
      SELECT ${match} AS is_match, body FROM payment_events e
      WHERE e.payment_id = examined.payment_id AND e.merchant_id = $1::uuid ORDER BY e.seq DESC LIMIT 1
    ) newest
    WHERE newest.is_match OR examined.place = ${examinedMax}
    ORDER BY examined.payment_id DESC LIMIT $5`;
}
