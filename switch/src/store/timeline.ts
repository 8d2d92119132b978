/** The rows of one payment, for whoever reads its history: an operation or a merchant, each on connections of its own. */
import { idToHex } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import type { Transition } from "../domain/payment/index.ts";
import { decodeTransition } from "./event-body.ts";
import { guarded } from "./guarded.ts";
import type { Which } from "./log-reader.ts";

/** Rows after a sequence number, oldest first. */
export type TimelinePart = { readonly afterSequence: number; readonly limit: number };

export async function readTimeline(sql: Sql, which: Which, { afterSequence, limit }: TimelinePart): Promise<readonly Transition[]> {
  // index: payment_events_pkey. A caller may name any sequence, also one beyond the column's type.
  const rows = await guarded(sql<{ readonly body: Uint8Array }[]>`
    SELECT body FROM payment_events
    WHERE payment_id = ${idToHex(which.id)}::uuid AND seq > ${afterSequence}::bigint AND merchant_id = ${idToHex(which.merchantId)}::uuid
    ORDER BY seq LIMIT ${limit}`);
  return rows.map((row) => decodeTransition(row.body));
}
