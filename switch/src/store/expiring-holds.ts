/**
 * What the expiry sweep reads: payments by the time of their making (their ids are ordered by it), and the holds that it has put off.
 */
import { idFromHex, idToHex, makeId } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import { guarded } from "./guarded.ts";
import type { Which } from "./log-reader.ts";

export interface ExpiringHolds {
  /**
   * One step of the sweep: of the next `limit` payments made from `fromMs` on and before `toMs`, those that may still hold money or are
   * not decided. `throughMs`: go on from here; `toMs` when nothing is left.
   */
  madeBetween(o: { readonly fromMs: number; readonly toMs: number; readonly limit: number }): Promise<SweepStep>;
  /** Postponed payments that are due, oldest first. */
  due(nowMs: number, limit: number): Promise<readonly Which[]>;
  postpone(which: Which, dueAtMs: number): Promise<void>;
  forget(which: Which): Promise<void>;
}

export type SweepStep = { readonly candidates: readonly Which[]; readonly throughMs: number };

const noRandom = new Uint8Array(10);

type IdRow = { readonly payment_id: string; readonly merchant_id: string };

export function createExpiringHolds(sql: Sql): ExpiringHolds {
  return {
    async madeBetween({ fromMs, toMs, limit }) {
      // index: payment_events_pkey, a range of ids forwards; then the newest row of each
      const rows = await guarded(sql<(IdRow & { may_hold: boolean })[]>`
        SELECT first.payment_id, first.merchant_id, newest.may_hold
        FROM (
          SELECT payment_id, merchant_id FROM payment_events
          WHERE seq = 1 AND payment_id >= ${boundAt(fromMs)}::uuid AND payment_id < ${boundAt(toMs)}::uuid
          ORDER BY payment_id LIMIT ${limit}
        ) first
        CROSS JOIN LATERAL (
          SELECT status IN ('processing', 'ambiguous') OR authorized > captured + released AS may_hold
          FROM payment_events e WHERE e.payment_id = first.payment_id AND e.merchant_id = first.merchant_id ORDER BY seq DESC LIMIT 1
        ) newest
        ORDER BY first.payment_id`);
      const last = rows.at(-1);
      return {
        candidates: rows.filter((row) => row.may_hold).map(whichOf),
        // The last millisecond is visited again: payments of one millisecond may lie on both sides of the limit.
        throughMs: rows.length < limit || last === undefined ? toMs : timeOf(last.payment_id),
      };
    },
    async due(nowMs, limit) {
      // index: expiry_postponed_by_due
      const rows = await guarded(sql<IdRow[]>`
        SELECT payment_id, merchant_id FROM expiry_postponed WHERE due_at <= ${new Date(nowMs)} ORDER BY due_at LIMIT ${limit}`);
      return rows.map(whichOf);
    },
    async postpone({ id, merchantId }, dueAtMs) {
      // index: expiry_postponed_pkey
      await guarded(sql`
        INSERT INTO expiry_postponed (merchant_id, payment_id, due_at) VALUES (${idToHex(merchantId)}, ${idToHex(id)}, ${new Date(dueAtMs)})
        ON CONFLICT (merchant_id, payment_id) DO UPDATE SET due_at = excluded.due_at`);
    },
    async forget({ id, merchantId }) {
      // index: expiry_postponed_pkey
      await guarded(
        sql`DELETE FROM expiry_postponed WHERE merchant_id = ${idToHex(merchantId)}::uuid AND payment_id = ${idToHex(id)}::uuid`,
      );
    },
  };
}

function boundAt(ms: number): string {
  return idToHex(makeId("payment", Math.max(0, ms), noRandom));
}

function timeOf(uuid: string): number {
  return Number.parseInt(uuid.replaceAll("-", "").slice(0, 12), 16);
}

function whichOf(row: IdRow): Which {
  return { id: idFromHex("payment", row.payment_id), merchantId: idFromHex("merchant", row.merchant_id) };
}
