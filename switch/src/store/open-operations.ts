/** Finds operations that need somebody to follow them up, by their place in the log. */
import { idFromHex } from "@florin/kernel";
import { arrayLiteral, type Sql } from "@florin/runtime/postgres";
import type { EventType } from "../domain/payment/index.ts";
import { guarded } from "./guarded.ts";
import { attemptIntentTypes, type Which } from "./log-reader.ts";

/** `operationUuid`: the attempt, capture, void or refund as 32 hex characters. */
export type FoundOperation = { readonly which: Which; readonly operationUuid: string; readonly position: bigint };

/** `throughPosition`: everything up to it was looked at. */
export type Found = { readonly operations: readonly FoundOperation[]; readonly throughPosition: bigint };

export type Window = { readonly afterPosition: bigint; readonly throughPosition: bigint; readonly limit: number };

export interface OpenOperations {
  /** Operations whose outcome nobody knew. They may be decided by now. */
  unsettled(window: Window): Promise<Found>;
  /** Refunds that the processor had accepted and not finished. They may be finished by now. */
  accepted(window: Window): Promise<Found>;
  /** Intents of which nothing was heard since. Ask only for positions older than the lease of an operation. */
  abandoned(window: Window): Promise<Found>;
  /** Milliseconds from intent to outcome, of the latest operations (at most `limit`) whose outcome was unknown and is decided. */
  latestResolutions(limit: number): Promise<readonly number[]>;
}

/** Rows that say that something was asked of a processor. */
export const intentTypes: ReadonlySet<string> = new Set<EventType>([
  "authorization_requested",
  "authorization_rerouted",
  "capture_requested",
  "void_requested",
  "refund_requested",
  "reversal_requested",
]);
/** Rows that leave their operation open, by who follows it; the partial index has both lists in one. */
export const unsettledTypes: ReadonlySet<string> = new Set<EventType>([
  "authorization_unknown",
  "capture_unknown",
  "void_unknown",
  "refund_unknown",
]);
export const acceptedTypes: ReadonlySet<string> = new Set<EventType>(["refund_accepted"]);
const intents = arrayLiteral([...intentTypes]);
const attemptIntents = arrayLiteral([...attemptIntentTypes]);

type Row = { readonly position: bigint; readonly payment_id: string; readonly merchant_id: string; readonly operation_id: string };

export function createOpenOperations(sql: Sql): OpenOperations {
  return {
    async unsettled({ afterPosition, throughPosition, limit }) {
      // index: payment_events_unsettled
      const rows = await guarded(sql<Row[]>`
        SELECT position, payment_id, merchant_id, operation_id FROM payment_events
        WHERE type IN ('authorization_unknown', 'capture_unknown', 'void_unknown', 'refund_unknown')
          AND position > ${afterPosition.toString()}::bigint AND position <= ${throughPosition.toString()}::bigint
        ORDER BY position LIMIT ${limit}`);
      return foundIn(rows, rows.length < limit ? throughPosition : undefined, afterPosition);
    },
    async accepted({ afterPosition, throughPosition, limit }) {
      // index: payment_events_unsettled
      const rows = await guarded(sql<Row[]>`
        SELECT position, payment_id, merchant_id, operation_id FROM payment_events
        WHERE type = 'refund_accepted' AND position > ${afterPosition.toString()}::bigint AND position <= ${throughPosition.toString()}::bigint
        ORDER BY position LIMIT ${limit}`);
      return foundIn(rows, rows.length < limit ? throughPosition : undefined, afterPosition);
    },
    async abandoned({ afterPosition, throughPosition, limit }) {
      // An attempt that another one follows is over, and attempts come one after another.
      // index: payment_events_by_position for the intents, payment_events_pkey for what followed each; the limit is on rows looked at
      const end = BigInt(limit) + afterPosition < throughPosition ? BigInt(limit) + afterPosition : throughPosition;
      const rows = await guarded(sql<Row[]>`
        SELECT intent.position, intent.payment_id, intent.merchant_id, intent.operation_id
        FROM payment_events intent
        LEFT JOIN LATERAL (
          SELECT true AS is_heard_of FROM payment_events later
          WHERE later.payment_id = intent.payment_id AND later.merchant_id = intent.merchant_id AND later.seq > intent.seq
            AND (later.operation_id = intent.operation_id
              OR later.type = 'authorization_rerouted' AND intent.type = ANY (${attemptIntents}::text[])) LIMIT 1
        ) answer ON true
        WHERE intent.position > ${afterPosition.toString()}::bigint AND intent.position <= ${end.toString()}::bigint
          AND intent.type = ANY (${intents}::text[]) AND answer.is_heard_of IS NULL
        ORDER BY intent.position`);
      return foundIn(rows, end, afterPosition);
    },
    async latestResolutions(limit) {
      // index: payment_events_unsettled, backwards; payment_events_pkey for what came before and after each
      const rows = await guarded(sql<{ milliseconds: number }[]>`
        SELECT (extract(epoch FROM outcome.occurred_at - intent.occurred_at) * 1000)::float8 AS milliseconds
        FROM (
          SELECT payment_id, merchant_id, operation_id, seq FROM payment_events
          WHERE type IN ('authorization_unknown', 'capture_unknown', 'void_unknown', 'refund_unknown')
          ORDER BY position DESC LIMIT ${limit}
        ) unknown
        CROSS JOIN LATERAL (
          SELECT occurred_at FROM payment_events e
          WHERE e.payment_id = unknown.payment_id AND e.merchant_id = unknown.merchant_id AND e.operation_id = unknown.operation_id
            AND e.seq < unknown.seq AND e.type = ANY (${intents}::text[])
          ORDER BY e.seq DESC LIMIT 1
        ) intent
        CROSS JOIN LATERAL (
          SELECT occurred_at FROM payment_events e
          WHERE e.payment_id = unknown.payment_id AND e.merchant_id = unknown.merchant_id AND e.operation_id = unknown.operation_id
            AND e.seq > unknown.seq
            AND e.type NOT IN ('authorization_unknown', 'capture_unknown', 'void_unknown', 'refund_unknown', 'authorization_ambiguous')
          ORDER BY e.seq LIMIT 1
        ) outcome`);
      return rows.map(({ milliseconds }) => Math.max(0, Math.round(milliseconds)));
    },
  };
}

function foundIn(rows: readonly Row[], through: bigint | undefined, after: bigint): Found {
  const operations = rows.map((row) => ({
    which: { id: idFromHex("payment", row.payment_id), merchantId: idFromHex("merchant", row.merchant_id) },
    operationUuid: row.operation_id.replaceAll("-", ""),
    position: row.position,
  }));
  return { operations, throughPosition: through ?? rows.at(-1)?.position ?? after };
}
