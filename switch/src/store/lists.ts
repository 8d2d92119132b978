/**
 * Lists of payments, newest first, straight from the log: first rows by partial index, each with its newest row beside it.
 *
 * A filter by status looks at newest rows, so a rare status is searched in bounded steps: a page may be short although more exist, and
 * its cursor goes on from where the search stopped.
 */
import { AppError, idFromHex, idToHex, isId, makeId } from "@florin/kernel";
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { Mode, Payment, Status } from "../domain/payment/index.ts";
import { decodeTransition } from "./event-body.ts";

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

export interface PaymentList {
  /** Throws AppError cursor_invalid (not_done) for a cursor that this list did not make. */
  list(query: ListQuery): Promise<PaymentPage>;
}

/** First rows looked at for one page when a status is asked for. */
const examinedMax = 1_000;
const cursorPrefix = "c1.";
const lowest = "0".repeat(32);
const highest = "f".repeat(32);
const noRandom = new Uint8Array(10);

type Row = { readonly payment_id: string; readonly status: string; readonly body: Uint8Array };

export function createPaymentList(sql: Sql): PaymentList {
  return {
    async list(query) {
      const examined = query.status === undefined ? query.limit + 1 : examinedMax;
      const rows = await read(sql, query, examined);
      const matching = query.status === undefined ? rows : rows.filter((row) => row.status === query.status);
      const page = matching.slice(0, query.limit);
      const isEnd = rows.length < examined && matching.length <= query.limit;
      const last = matching.length > query.limit ? page.at(-1) : rows.at(-1);
      return {
        payments: page.map((row) => decodeTransition(row.body).payment),
        nextCursor: isEnd || last === undefined ? "" : cursorAfter(last.payment_id),
      };
    },
  };
}

async function read(sql: Sql, query: ListQuery, limit: number): Promise<readonly Row[]> {
  const below =
    query.cursor === "" ? boundAt(query.createdToMs, highest) : min(cursorPosition(query.cursor), boundAt(query.createdToMs, highest));
  const from = boundAt(query.createdFromMs, lowest);
  const merchant = idToHex(query.merchantId);
  const isLive = query.mode === "live";
  const reference = query.merchantReference ?? null;
  try {
    // index: payment_events_first_by_reference when a reference is given, else payment_events_first_by_merchant; then payment_events_pkey
    return await sql<Row[]>`
      SELECT first.payment_id, newest.status, newest.body
      FROM (
        SELECT payment_id FROM payment_events
        WHERE seq = 1 AND merchant_id = ${merchant}::uuid AND is_live = ${isLive}
          AND payment_id < ${below}::uuid AND payment_id >= ${from}::uuid
          ${reference === null ? sql`` : sql`AND merchant_reference = ${reference}`}
        ORDER BY payment_id DESC LIMIT ${limit}
      ) first
      CROSS JOIN LATERAL (
        SELECT status, body FROM payment_events e WHERE e.payment_id = first.payment_id AND e.merchant_id = ${merchant}::uuid ORDER BY seq DESC LIMIT 1
      ) newest
      ORDER BY first.payment_id DESC`;
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}

function boundAt(ms: number | undefined, unbounded: string): string {
  return ms === undefined ? unbounded : idToHex(makeId("payment", ms, noRandom));
}

const min = (left: string, right: string) => (left < right ? left : right);

function cursorAfter(uuid: string): string {
  return Buffer.from(cursorPrefix + idFromHex("payment", uuid)).toString("base64url");
}

function cursorPosition(cursor: string): string {
  const text = Buffer.from(cursor, "base64url").toString("latin1");
  const id = text.slice(cursorPrefix.length);
  if (!text.startsWith(cursorPrefix) || !isId("payment", id))
    throw new AppError("cursor_invalid", "this list did not make this cursor", { work: "not_done", param: "cursor" });
  return idToHex(id);
}
