/** Reads of the payment log: the newest row of a payment, its timeline, the answer of an operation, and the key that leads to it. */
import { idFromHex, idToHex } from "@florin/kernel";
import { createBatcher, type Settled } from "@florin/runtime/batch";
import { arrayLiteral, type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import type { EventType, Mode, Payment, Transition } from "../domain/payment/index.ts";
import { decodeTransition } from "./event-body.ts";

/** A payment is always asked for together with its merchant: another merchant's id finds nothing. */
export type Which = { readonly id: string; readonly merchantId: string };

export type StoredKey = {
  readonly requestHash: Buffer;
  readonly paymentId: string;
  readonly intentSequence: number;
  readonly createdAtMs: number;
};

export interface LogReader {
  /** The payment as it stands, or undefined when this merchant has none of this id. Always current. */
  newest(which: Which): Promise<Payment | undefined>;
  /** The row with this sequence number. */
  at(which: Which, sequence: number): Promise<Transition | undefined>;
  /** The first row that answers the operation whose intent is at `intentSequence`; undefined while there is none. */
  answerOf(which: Which, intentSequence: number): Promise<Transition | undefined>;
  /** Test and live keys of a merchant are apart. */
  key(merchantId: string, mode: Mode, key: string): Promise<StoredKey | undefined>;
  /** Rows after a sequence number, oldest first. */
  timeline(which: Which, o: { readonly afterSequence: number; readonly limit: number }): Promise<readonly Transition[]>;
}

/** Rows that answer an operation for its caller. An intent does not, nor does an outcome that nobody knows yet. */
const isAnswer: Readonly<Record<EventType, boolean>> = {
  payment_created: true,
  authorization_requested: false,
  authorization_blocked: true,
  payment_authorized: true,
  payment_authorized_and_captured: true,
  authorization_declined: true,
  authorization_not_sent: true,
  authorization_unknown: false,
  authorization_ambiguous: false,
  authorization_reversed: true,
  authorization_expired: false,
  capture_requested: false,
  payment_captured: true,
  capture_failed: true,
  capture_unknown: false,
  void_requested: false,
  payment_voided: true,
  void_failed: true,
  void_unknown: false,
  refund_requested: false,
  refund_accepted: true,
  refund_succeeded: true,
  refund_failed: true,
  refund_unknown: false,
};

const readBatchMax = 256;
const readQueueDepthMax = 20_000;
const readsInFlightMax = 2;

export function createLogReader(sql: Sql): LogReader {
  const newest = createBatcher<Which, Payment | undefined>({
    name: "read-newest",
    batchMax: readBatchMax,
    queueDepthMax: readQueueDepthMax,
    concurrencyMax: readsInFlightMax,
    run: (members) => readNewest(sql, members),
  });
  const rowsFrom = async (which: Which, fromSequence: number, limit: number): Promise<readonly Transition[]> => {
    // index: payment_events_pkey
    const rows = await guarded(sql<{ body: Uint8Array }[]>`
      SELECT body FROM payment_events
      WHERE payment_id = ${idToHex(which.id)}::uuid AND seq >= ${fromSequence} AND merchant_id = ${idToHex(which.merchantId)}::uuid
      ORDER BY seq LIMIT ${limit}`);
    return rows.map((row) => decodeTransition(row.body));
  };
  return {
    newest: (which) => newest.submit(which),
    at: async (which, sequence) => (await rowsFrom(which, sequence, 1)).find(({ event }) => event.sequence === sequence),
    async answerOf(which, intentSequence) {
      const rows = await rowsFrom(which, intentSequence, answerSearchMax);
      const operationId = rows[0]?.event.operationId;
      return rows.find(({ event }) => event.operationId === operationId && isAnswer[event.type]);
    },
    async key(merchantId, mode, key) {
      // index: idempotency_keys_pkey
      const [row] = await guarded(sql<{ request_hash: Buffer; payment_id: string; intent_seq: number; created_at: Date }[]>`
        SELECT request_hash, payment_id, intent_seq, created_at FROM idempotency_keys
        WHERE merchant_id = ${idToHex(merchantId)}::uuid AND key = ${key} AND is_live = ${mode === "live"}`);
      if (row === undefined) return undefined;
      const paymentId = idFromHex("payment", row.payment_id);
      return { requestHash: row.request_hash, paymentId, intentSequence: row.intent_seq, createdAtMs: row.created_at.getTime() };
    },
    timeline: (which, { afterSequence, limit }) => rowsFrom(which, afterSequence + 1, limit),
  };
}

/** A payment has at most 200 captures and refunds of three rows each, and a few attempts: more rows than this cannot follow an intent. */
const answerSearchMax = 1_000;

async function readNewest(sql: Sql, members: readonly Which[]): Promise<readonly Settled<Payment | undefined>[]> {
  const ids = arrayLiteral(members.map(({ id }) => idToHex(id)));
  const merchants = arrayLiteral(members.map(({ merchantId }) => idToHex(merchantId)));
  // index: payment_events_pkey, backwards, one row per payment
  const rows = await guarded(sql<{ place: number; body: Uint8Array }[]>`
    SELECT wanted.place::int AS place, newest.body
    FROM unnest(${ids}::uuid[], ${merchants}::uuid[]) WITH ORDINALITY AS wanted (payment_id, merchant_id, place)
    CROSS JOIN LATERAL (
      SELECT body FROM payment_events e WHERE e.payment_id = wanted.payment_id AND e.merchant_id = wanted.merchant_id
      ORDER BY seq DESC LIMIT 1
    ) newest`);
  const found = new Map(rows.map((row) => [row.place, row.body]));
  return members.map((_, index) => {
    const body = found.get(index + 1);
    return { ok: true, value: body && decodeTransition(body).payment };
  });
}

async function guarded<T>(query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}
