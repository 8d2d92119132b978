/** The lists as they would be over `payments_current`: the page from its index, each payment's newest row from the log beside it. */
import { idFromHex, idToHex } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import { decodeTransition } from "../../src/store/event-body.ts";
import type { ListQuery, PaymentLists } from "../../src/store/payment-lists.ts";

const lowest = "0".repeat(32);
const highest = "f".repeat(32);

export function createProjectedLists(sql: Sql): Pick<PaymentLists, "list"> {
  return {
    async list(query) {
      const rows = await read(sql, query);
      const page = rows.slice(0, query.limit);
      const last = page.at(-1);
      return {
        payments: page.map((row) => decodeTransition(row.body).payment),
        nextCursor: rows.length > query.limit && last !== undefined ? idFromHex("payment", last.payment_id) : "",
      };
    },
  };
}

function read(sql: Sql, query: ListQuery): Promise<readonly { readonly payment_id: string; readonly body: Uint8Array }[]> {
  const merchant = idToHex(query.merchantId);
  const status = query.status === undefined ? sql`` : sql`AND status = ${query.status}`;
  const reference = query.merchantReference === undefined ? sql`` : sql`AND merchant_reference = ${query.merchantReference}`;
  const before = query.cursor === "" ? highest : idToHex(query.cursor);
  // index: payments_current_pkey, _by_status or _by_reference; then payment_events_pkey
  return sql`
    SELECT page.payment_id, e.body
    FROM (
      SELECT payment_id, seq FROM payments_current
      WHERE merchant_id = ${merchant}::uuid AND is_live = ${query.mode === "live"} ${status} ${reference}
        AND payment_id < ${before}::uuid AND payment_id < ${boundAt(query.createdToMs, highest)}::uuid
        AND payment_id >= ${boundAt(query.createdFromMs, lowest)}::uuid
      ORDER BY payment_id DESC LIMIT ${query.limit + 1}
    ) page
    JOIN payment_events e ON e.payment_id = page.payment_id AND e.seq = page.seq AND e.merchant_id = ${merchant}::uuid
    ORDER BY page.payment_id DESC`;
}

function boundAt(ms: number | undefined, unbounded: string): string {
  return ms === undefined ? unbounded : ms.toString(16).padStart(12, "0").padEnd(32, "0");
}
