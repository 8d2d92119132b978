/**
 * Lists of payments, newest first, straight from the log: first rows by partial index, each with its newest row beside it.
 *
 * A filter by status looks at newest rows, so a rare status is searched in bounded steps: a page may be short although more exist, and
 * its cursor goes on from where the search stopped.
 */
import { AppError, idFromHex, idToHex, isId, makeId } from "@florin/kernel";
import type { Sql } from "@florin/runtime/postgres";
import type { Mode, Payment, Status } from "../domain/payment/index.ts";
import { decodeTransition } from "./event-body.ts";
import { guarded } from "./guarded.ts";

export type ListQuery = {
  readonly merchantId: string;
  readonly mode: Mode;
  /** 1 to 100. */
  readonly limit: number;
  /** `nextCursor` of the page before; empty for the first page. */
  readonly cursor: string;
  readonly status?: Status;
  readonly merchantReference?: string;
  /** Created at or after, Unix milliseconds. */
  readonly createdFromMs?: number;
  /** Created before, Unix milliseconds. */
  readonly createdToMs?: number;
};

export type PaymentPage = { readonly payments: readonly Payment[] /** Empty at the end. */; readonly nextCursor: string };

export interface PaymentLists {
  /** Throws AppError cursor_invalid (not_done) for a cursor that this list did not make. */
  list(query: ListQuery): Promise<PaymentPage>;
}

/** First rows looked at for one page when a status is asked for. */
const examinedMax = 1_000;
const cursorPrefix = "c1.";
const lowest = "0".repeat(32);
const highest = "f".repeat(32);
const noRandom = new Uint8Array(10);
const timeMsMax = 2 ** 48 - 1;

/** `body` is null when the newest row has another status than the one asked for. */
type Row = { readonly payment_id: string; readonly body: Uint8Array | null };

export function createPaymentLists(sql: Sql): PaymentLists {
  return {
    async list(query) {
      const examined = query.status === undefined ? query.limit + 1 : examinedMax;
      const rows = await read(sql, query, examined);
      const matching = rows.filter((row): row is Row & { readonly body: Uint8Array } => row.body !== null);
      const page = matching.slice(0, query.limit);
      const hasMoreMatching = matching.length > query.limit;
      const isEnd = rows.length < examined && !hasMoreMatching;
      const last = hasMoreMatching ? page.at(-1) : rows.at(-1);
      return {
        payments: page.map((row) => decodeTransition(row.body).payment),
        nextCursor: isEnd || last === undefined ? "" : cursorAfter(last.payment_id),
      };
    },
  };
}

async function read(sql: Sql, query: ListQuery, limit: number): Promise<readonly Row[]> {
  const cursor = query.cursor === "" ? highest : positionOf(query.cursor);
  const to = boundAt(query.createdToMs, highest);
  const from = boundAt(query.createdFromMs, lowest);
  const merchant = idToHex(query.merchantId);
  const reference = query.merchantReference === undefined ? sql`` : sql`AND merchant_reference = ${query.merchantReference}`;
  const body = query.status === undefined ? sql`body` : sql`CASE WHEN status = ${query.status} THEN body END AS body`;
  // index: payment_events_first_by_reference when a reference is given, else payment_events_first_by_merchant; then payment_events_pkey
  return guarded(sql<Row[]>`
      SELECT first.payment_id, newest.body
      FROM (
        SELECT payment_id FROM payment_events
        WHERE seq = 1 AND merchant_id = ${merchant}::uuid AND is_live = ${query.mode === "live"}
          AND payment_id < ${cursor}::uuid AND payment_id < ${to}::uuid AND payment_id >= ${from}::uuid ${reference}
        ORDER BY payment_id DESC LIMIT ${limit}
      ) first
      CROSS JOIN LATERAL (
        SELECT ${body} FROM payment_events e WHERE e.payment_id = first.payment_id AND e.merchant_id = ${merchant}::uuid ORDER BY seq DESC LIMIT 1
      ) newest
      ORDER BY first.payment_id DESC`);
}

/** The lowest id of a moment. */
function boundAt(ms: number | undefined, unbounded: string): string {
  return ms === undefined ? unbounded : idToHex(makeId("payment", Math.min(Math.max(ms, 0), timeMsMax), noRandom));
}

function cursorAfter(uuid: string): string {
  return Buffer.from(cursorPrefix + idFromHex("payment", uuid)).toString("base64url");
}

function positionOf(cursor: string): string {
  const text = Buffer.from(cursor, "base64url").toString("latin1");
  const id = text.slice(cursorPrefix.length);
  if (!text.startsWith(cursorPrefix) || !isId("payment", id))
    throw new AppError("cursor_invalid", "this list did not make this cursor", { work: "not_done", param: "cursor" });
  return idToHex(id);
}
