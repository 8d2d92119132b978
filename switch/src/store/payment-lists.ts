/**
 * What merchants page through, straight from the log: lists of payments, newest first, and the timeline of one. What is committed is shown,
 * there is nothing that lags behind.
 *
 * - No payment waits for a page. The connections are its own, so few pages are read at once, few more wait, and the rest is told so.
 * - A cursor is a payment's id, and pages only ever go down from it. Whatever is created or changes its status between two pages, no
 *   payment comes twice, and none that was of the list all the time is passed over.
 * - A page looks at `examinedMax` payments at most. So a page may be short, or empty, although more exist (a rare status): its cursor
 *   goes on from where the search stopped, and only an empty cursor is the end.
 */
import { AppError, assert, idFromHex, idToHex, isId, makeId, required } from "@florin/kernel";
import { createBatcher } from "@florin/runtime/batch";
import type { Sql } from "@florin/runtime/postgres";
import type { Mode, Payment, Status, Transition } from "../domain/payment/index.ts";
import { decodeTransition } from "./event-body.ts";
import { guarded } from "./guarded.ts";
import { type ListRow, type ListStatement, listStatement, walkInOrder } from "./list-statement.ts";
import type { Which } from "./log-reader.ts";
import { readTimeline, type TimelinePart } from "./timeline.ts";

export type ListQuery = {
  readonly merchantId: string;
  readonly mode: Mode;
  /** 1 to 100. */
  readonly limit: number;
  /** `nextCursor` of the page before; empty for the first page. */
  readonly cursor: string;
  readonly status?: Status;
  readonly merchantReference?: string;
  /** Only payments with an operation that ran without the cache. */
  readonly isDegraded?: boolean;
  /** Created at or after, Unix milliseconds. */
  readonly createdFromMs?: number;
  /** Created before, Unix milliseconds. */
  readonly createdToMs?: number;
};

export type PaymentPage = { readonly payments: readonly Payment[] /** Empty at the end. */; readonly nextCursor: string };

export interface PaymentLists {
  /** Throws AppError cursor_invalid (not_done) for a cursor that this list did not make. */
  list(query: ListQuery): Promise<PaymentPage>;
  /** Rows of one payment after a sequence number, oldest first. */
  timeline(which: Which, part: TimelinePart): Promise<readonly Transition[]>;
}

/** Connections for pages. */
export const pagesAtOnceMax = 4;
/** Shorter than the patience of the edge with a read: a page that is too slow is told so, and makes room. */
export const pageTimeoutMs = 4_000;
const pagesWaitingMax = 256;

const limitMax = 100;
const cursorPrefix = "c1.";
const lowest = "0".repeat(32);
const highest = "f".repeat(32);
const noRandom = new Uint8Array(10);
const timeMsMax = 2 ** 48 - 1;

/** `sql`: a pool that no operation waits for. Its statements should end after `pageTimeoutMs`. */
export function createPaymentLists(sql: Sql): PaymentLists {
  const inTurn = boundedReads();
  return {
    async list(query) {
      const statement = statementFor(query);
      const rows = await inTurn(() => read(sql, statement));
      const matching = rows.filter((row): row is MatchingRow => row.body !== null);
      const page = matching.slice(0, query.limit);
      // One match more than asked for says that the page is not the last; else the search ended where it had to, or at the end.
      const last = matching.length > query.limit ? page.at(-1) : rows.find((row) => row.is_last_examined);
      return {
        payments: page.map((row) => decodeTransition(row.body).payment),
        nextCursor: last === undefined ? "" : cursorAfter(last.payment_id),
      };
    },
    timeline: (which, part) => inTurn(() => readTimeline(sql, which, part)),
  };
}

/** Rejects with `overloaded` (not_done) when too many wait. */
function boundedReads(): <T>(read: () => Promise<T>) => Promise<T> {
  const turns = createBatcher<() => Promise<unknown>, unknown>({
    name: "read-page",
    batchMax: 1,
    concurrencyMax: pagesAtOnceMax,
    queueDepthMax: pagesWaitingMax,
    run: async ([read]) => [{ ok: true, value: await required(read, "a page")() }],
  });
  return <T>(read: () => Promise<T>) => turns.submit(read) as Promise<T>;
}

type MatchingRow = ListRow & { readonly body: Uint8Array };

async function read(sql: Sql, { text, parameters }: ListStatement): Promise<readonly ListRow[]> {
  const reading = sql.begin("READ ONLY", async (transaction) => {
    // Sent together: the second does not wait for the first one's answer.
    const [, rows] = await Promise.all([
      transaction.unsafe(walkInOrder),
      transaction.unsafe<ListRow[]>(text, parameters, { prepare: true }),
    ]);
    return rows;
  });
  return guarded(reading);
}

function statementFor(query: ListQuery): ListStatement {
  const { limit } = query;
  assert(Number.isInteger(limit) && limit >= 1 && limit <= limitMax, "a page has 1 to 100 payments");
  const cursor = query.cursor === "" ? highest : positionOf(query.cursor);
  const to = boundAt(query.createdToMs, highest);
  return listStatement({
    merchantUuid: idToHex(query.merchantId),
    isLive: query.mode === "live",
    beforeUuid: lowerOf(cursor, to),
    fromUuid: boundAt(query.createdFromMs, lowest),
    status: query.status,
    merchantReference: query.merchantReference,
    isDegraded: query.isDegraded === true,
    matchesMax: limit + 1,
  });
}

/** Lower-case hex of one length: the order of the text is the order of the ids. */
function lowerOf(left: string, right: string): string {
  if (left < right) return left;
  return right;
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
