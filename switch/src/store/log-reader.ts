/**
 * Reads of the payment log that an operation waits for: the newest row of a payment, one row, the answer behind an idempotency key.
 *
 * A payment is always asked for together with its merchant: another merchant's id finds nothing. Reads of many callers share statements.
 */
import { idFromHex, idToHex, toAppError } from "@florin/kernel";
import { type Batcher, createBatcher } from "@florin/runtime/batch";
import { arrayLiteral, type Sql } from "@florin/runtime/postgres";
import type { EventType, Mode, Payment, Transition } from "../domain/payment/index.ts";
import { decodeTransition } from "./event-body.ts";
import { guarded } from "./guarded.ts";
import { readTimeline, type TimelinePart } from "./timeline.ts";

export type Which = { readonly id: string; readonly merchantId: string };

/** What the log knows of a key: whose request it was, and the row that answers it (undefined while none does). */
export type StoredKey = {
  readonly requestHash: Buffer;
  readonly paymentId: string;
  readonly intentSequence: number;
  readonly createdAtMs: number;
  readonly answer: Transition | undefined;
};

export interface LogReader {
  /** The payment as it stands, or undefined. Always current. */
  newest(which: Which): Promise<Payment | undefined>;
  /** The row with this sequence number. */
  at(which: Which, sequence: number): Promise<Transition | undefined>;
  /**
   * The first row that answers the operation whose intent is at `intentSequence`; undefined while there is none. Of an attempt that another
   * one followed in the same call it is the row that answers the call.
   */
  answerOf(which: Which, intentSequence: number): Promise<Transition | undefined>;
  /** Undefined: the key was never used. */
  key(use: { readonly merchantId: string; readonly mode: Mode; readonly key: string }): Promise<StoredKey | undefined>;
  /** For an operation that has to know what happened; a merchant's page of it is in payment-lists.ts. */
  timeline(which: Which, part: TimelinePart): Promise<readonly Transition[]>;
}

/** Rows that answer an operation for its caller. An intent does not, nor does an outcome that nobody knows yet. */
const isAnswer: Readonly<Record<EventType, boolean>> = {
  payment_created: true,
  authorization_requested: false,
  authorization_blocked: true,
  authorization_rerouted: false,
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
  reversal_requested: false,
  reversal_succeeded: true,
  reversal_failed: true,
};

export const answerTypes: ReadonlySet<string> = new Set(Object.entries(isAnswer).flatMap(([type, answers]) => (answers ? [type] : [])));

const answerTypesLiteral = arrayLiteral([...answerTypes]);

/**
 * Rows that answer a call for an authorization, whichever of its attempts they are about. Attempts of a payment come one after another, and
 * none begins before the last call is answered; so from a call's intent on, the first of these is its answer.
 */
export const attemptAnswerTypes: ReadonlySet<string> = new Set<EventType>([
  "payment_authorized",
  "payment_authorized_and_captured",
  "authorization_declined",
  "authorization_not_sent",
  "authorization_reversed",
]);
const attemptAnswersLiteral = arrayLiteral([...attemptAnswerTypes]);
export const attemptIntentTypes: ReadonlySet<string> = new Set<EventType>(["authorization_requested", "authorization_rerouted"]);
const attemptIntentsLiteral = arrayLiteral([...attemptIntentTypes]);

const batchMax = 256;
const queueDepthMax = 20_000;
const batchesInFlightMax = 2;

/** Finds for each member at most one row; `place` counts from 1. */
type Find<In, Row> = (members: readonly In[]) => PromiseLike<readonly (Row & { readonly place: number })[]>;

function batched<In, Row, Out>(name: string, find: Find<In, Row>, read: (row: Row) => Out): Batcher<In, Out | undefined> {
  return createBatcher<In, Out | undefined>({
    name,
    batchMax,
    queueDepthMax,
    concurrencyMax: batchesInFlightMax,
    run: async (members) => {
      const found = new Map((await guarded(find(members))).map((row) => [row.place, row]));
      return members.map((_, index) => {
        const row = found.get(index + 1);
        // One that cannot be read (a newer release wrote it) is its own reader's, and not that of all who asked in this batch.
        try {
          return { ok: true, value: row && read(row) };
        } catch (thrown) {
          return { ok: false, error: toAppError(thrown) };
        }
      });
    },
  });
}

type BodyRow = { readonly body: Uint8Array };
type At = { readonly which: Which; readonly sequence: number };
type KeyOf = { readonly merchantId: string; readonly mode: Mode; readonly key: string };
type KeyRow = {
  readonly request_hash: Buffer;
  readonly payment_id: string;
  readonly intent_seq: number;
  readonly created_at: Date;
  readonly answer: Uint8Array | null;
};

export function createLogReader(sql: Sql): LogReader {
  const newest = batched<Which, BodyRow, Payment>(
    "read-newest",
    (members) => findNewest(sql, members),
    (row) => decodeTransition(row.body).payment,
  );
  const rows = batched<At, BodyRow, Transition>(
    "read-row",
    (members) => findRows(sql, members),
    (row) => decodeTransition(row.body),
  );
  const answers = batched<At, BodyRow, Transition>(
    "read-answer",
    (members) => findAnswers(sql, members),
    (row) => decodeTransition(row.body),
  );
  const keys = batched<KeyOf, KeyRow, StoredKey>("read-key", (members) => findKeys(sql, members), readKey);
  return {
    newest: (which) => newest.submit(which),
    at: (which, sequence) => rows.submit({ which, sequence }),
    answerOf: (which, sequence) => answers.submit({ which, sequence }),
    key: (use) => keys.submit(use),
    timeline: (which, part) => readTimeline(sql, which, part),
  };
}

function findNewest(sql: Sql, members: readonly Which[]) {
  // index: payment_events_pkey, backwards, one row per payment
  return sql<(BodyRow & { place: number })[]>`
    SELECT wanted.place::int AS place, newest.body
    FROM unnest(${idsOf(members)}::uuid[], ${merchantsOf(members)}::uuid[]) WITH ORDINALITY AS wanted (payment_id, merchant_id, place)
    CROSS JOIN LATERAL (
      SELECT body FROM payment_events e WHERE e.payment_id = wanted.payment_id AND e.merchant_id = wanted.merchant_id
      ORDER BY seq DESC LIMIT 1
    ) newest`;
}

function findRows(sql: Sql, members: readonly At[]) {
  const which = members.map((member) => member.which);
  const sequences = arrayLiteral(members.map(({ sequence }) => sequence));
  // index: payment_events_pkey
  return sql<(BodyRow & { place: number })[]>`
    SELECT wanted.place::int AS place, e.body
    FROM unnest(${idsOf(which)}::uuid[], ${sequences}::int[], ${merchantsOf(which)}::uuid[])
      WITH ORDINALITY AS wanted (payment_id, seq, merchant_id, place)
    JOIN payment_events e USING (payment_id, seq, merchant_id)`;
}

function findAnswers(sql: Sql, members: readonly At[]) {
  const which = members.map((member) => member.which);
  const sequences = arrayLiteral(members.map(({ sequence }) => sequence));
  // index: payment_events_pkey, twice: the intent, then the rows after it (at most some hundred)
  return sql<(BodyRow & { place: number })[]>`
    SELECT wanted.place::int AS place, answer.body
    FROM unnest(${idsOf(which)}::uuid[], ${sequences}::int[], ${merchantsOf(which)}::uuid[])
      WITH ORDINALITY AS wanted (payment_id, seq, merchant_id, place)
    JOIN payment_events intent USING (payment_id, seq, merchant_id)
    CROSS JOIN LATERAL (
      SELECT body FROM payment_events e
      WHERE e.payment_id = intent.payment_id AND e.merchant_id = intent.merchant_id AND e.seq >= intent.seq
        AND (e.operation_id IS NOT DISTINCT FROM intent.operation_id AND e.type = ANY (${answerTypesLiteral}::text[])
          OR intent.type = ANY (${attemptIntentsLiteral}::text[]) AND e.type = ANY (${attemptAnswersLiteral}::text[]))
      ORDER BY e.seq LIMIT 1
    ) answer`;
}

function findKeys(sql: Sql, members: readonly KeyOf[]) {
  const keys = arrayLiteral(members.map(({ key }) => key));
  const modes = arrayLiteral(members.map(({ mode }) => mode === "live"));
  // index: idempotency_keys_pkey, then payment_events_pkey. A key of a capture, void or refund has no attempt after its intent, so the
  // answer to an attempt that follows an intent is the answer of that attempt's key.
  return sql<(KeyRow & { place: number })[]>`
    SELECT wanted.place::int AS place, k.request_hash, k.payment_id, k.intent_seq, k.created_at, answer.body AS answer
    FROM unnest(${merchantsOf(members)}::uuid[], ${keys}::text[], ${modes}::boolean[]) WITH ORDINALITY AS wanted (merchant_id, key, is_live, place)
    JOIN idempotency_keys k USING (merchant_id, key, is_live)
    LEFT JOIN LATERAL (
      SELECT body FROM payment_events e
      WHERE e.payment_id = k.payment_id AND e.merchant_id = k.merchant_id AND e.seq >= k.intent_seq
        AND (e.operation_id IS NOT DISTINCT FROM k.operation_id AND e.type = ANY (${answerTypesLiteral}::text[])
          OR e.type = ANY (${attemptAnswersLiteral}::text[]))
      ORDER BY e.seq LIMIT 1
    ) answer ON true`;
}

function readKey(row: KeyRow): StoredKey {
  return {
    requestHash: row.request_hash,
    paymentId: idFromHex("payment", row.payment_id),
    intentSequence: row.intent_seq,
    createdAtMs: row.created_at.getTime(),
    answer: row.answer === null ? undefined : decodeTransition(row.answer),
  };
}

function idsOf(members: readonly Which[]): string {
  return arrayLiteral(members.map(({ id }) => idToHex(id)));
}

function merchantsOf(members: readonly { readonly merchantId: string }[]): string {
  return arrayLiteral(members.map(({ merchantId }) => idToHex(merchantId)));
}
