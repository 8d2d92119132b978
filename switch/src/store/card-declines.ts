/**
 * Declined tries of cards, by merchant and the vault's keyed fingerprint: the past that the networks' rules are about
 * (domain/routing/network-guardian.ts).
 *
 * Read with every authorization and written with every decline, many callers to a statement. A card without declines costs a look into an
 * index that has no entry for it.
 */
import { idToHex } from "@florin/kernel";
import { createBatcher } from "@florin/runtime/batch";
import { arrayLiteral, type Sql } from "@florin/runtime/postgres";
import type { Timing } from "@florin/runtime/timing";
import {
  type CardHistory,
  type CardKey,
  type Decline,
  type DeclineHistory,
  dayMs,
  declinedPer30DaysMax,
  windowMs,
} from "../domain/routing/index.ts";
import { guarded } from "./guarded.ts";

const batchMax = 256;
const queueDepthMax = 20_000;
const batchesInFlightMax = 2;
/** Rows that are looked at for one card: from the ceiling on, more say nothing new. */
const rowsMax = declinedPer30DaysMax + 1;

type Question = { readonly card: CardKey; readonly nowMs: number };
type Counted = { readonly card: CardKey; readonly decline: Decline & { readonly attemptId: string } };
type HistoryRow = { readonly place: number; readonly in_day: number; readonly in_month: number; readonly has_category_one: boolean };

const clean: CardHistory = { declinedInDay: 0, declinedIn30Days: 0, hasCategoryOne: false };

export function createCardDeclines(sql: Sql, o: { readonly timing?: Timing } = {}): DeclineHistory {
  const reads = createBatcher<Question, CardHistory>({
    name: "read-declines",
    batchMax,
    queueDepthMax,
    concurrencyMax: batchesInFlightMax,
    ...o,
    run: async (members) => {
      const found = new Map((await guarded(findHistories(sql, members))).map((row) => [row.place, historyIn(row)]));
      return members.map((_, index) => ({ ok: true, value: found.get(index + 1) ?? clean }));
    },
  });
  const counts = createBatcher<Counted, void>({
    name: "count-declines",
    batchMax,
    queueDepthMax,
    ...o,
    run: async (members) => {
      await guarded(insertDeclines(sql, members));
      return members.map(() => ({ ok: true, value: undefined }));
    },
  });
  return {
    read: (card, nowMs) => reads.submit({ card, nowMs }),
    count: (card, decline) => counts.submit({ card, decline }),
  };
}

function findHistories(sql: Sql, members: readonly Question[]) {
  const nows = arrayLiteral(members.map(({ nowMs }) => nowMs));
  // index: card_declines_pkey, at most `rowsMax` rows of each card; a decline of category 1 is looked for first
  return sql<HistoryRow[]>`
    SELECT wanted.place::int AS place, past.in_day, past.in_month, past.has_category_one
    FROM unnest(${merchantsOf(members)}::uuid[], ${fingerprintsOf(members)}::text[], ${nows}::float8[])
      WITH ORDINALITY AS wanted (merchant_id, card_fingerprint, now_ms, place)
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE age_ms < ${dayMs}::float8)::int AS in_day, count(*)::int AS in_month,
        bool_or(is_category_one) AS has_category_one
      FROM (
        SELECT is_category_one, wanted.now_ms - extract(epoch FROM declined_at) * 1000 AS age_ms
        FROM card_declines d
        WHERE d.merchant_id = wanted.merchant_id AND d.card_fingerprint = wanted.card_fingerprint
          AND d.declined_at > to_timestamp((wanted.now_ms - ${windowMs}::float8) / 1000)
        ORDER BY is_category_one DESC, declined_at DESC LIMIT ${rowsMax}
      ) latest
    ) past
    WHERE past.in_month > 0`;
}

function insertDeclines(sql: Sql, members: readonly Counted[]) {
  const attempts = arrayLiteral(members.map(({ decline }) => idToHex(decline.attemptId)));
  const times = arrayLiteral(members.map(({ decline }) => decline.atMs));
  const marks = arrayLiteral(members.map(({ decline }) => decline.isCategoryOne));
  // index: card_declines_pkey
  return sql`
    INSERT INTO card_declines (merchant_id, card_fingerprint, attempt_id, declined_at, is_category_one)
    SELECT merchant_id, card_fingerprint, attempt_id, to_timestamp(at_ms / 1000), is_category_one
    FROM unnest(${merchantsOf(members)}::uuid[], ${fingerprintsOf(members)}::text[], ${attempts}::uuid[], ${times}::float8[], ${marks}::boolean[])
      AS counted (merchant_id, card_fingerprint, attempt_id, at_ms, is_category_one)
    ON CONFLICT DO NOTHING`;
}

function historyIn(row: HistoryRow): CardHistory {
  return { declinedInDay: row.in_day, declinedIn30Days: row.in_month, hasCategoryOne: row.has_category_one };
}

const merchantsOf = (members: readonly { readonly card: CardKey }[]): string =>
  arrayLiteral(members.map(({ card }) => idToHex(card.merchantId)));
const fingerprintsOf = (members: readonly { readonly card: CardKey }[]): string =>
  arrayLiteral(members.map(({ card }) => card.cardFingerprint));
