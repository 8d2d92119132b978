/**
 * A log as large merchants have it: 200,000 payments of one of them, every second row of payments, among those of a hundred others,
 * spread evenly over the last 25 days. Loaded by SQL in the order of their making, so a merchant's rows lie scattered as they would.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { idToHex, makeId } from "@florin/kernel";
import { arrayLiteral, byteaArrayLiteral, type Sql } from "@florin/runtime/postgres";
import { draft, recordAuthorization, requestAuthorization } from "../../src/domain/payment/index.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleOrigin, sampleOutcomes } from "../../src/domain/payment/samples.ts";
import { encodeTransitions } from "../../src/store/event-body.ts";

export const bigMerchantPayments = 200_000;
const spreadMs = 25 * 24 * 3_600_000;
const paymentsPerStatement = 25_000;
/** After so many statements the shared machine gets a rest. */
const statementsInARow = 6;
const restMs = 5_000;

export type BigMerchant = {
  readonly merchantId: string;
  /** One of the hundred others, with 2,000 payments. */
  readonly smallMerchantId: string;
  readonly fromMs: number;
  readonly toMs: number;
};

/**
 * Of a merchant's payments (`n` counts them from the oldest): the ten rare ones are the oldest but for one in the middle, so that a search
 * from the newest goes a long way.
 */
const statusOf = `CASE WHEN n < 9 OR n = ${bigMerchantPayments / 2} THEN 'expired' WHEN n % 100 < 7 THEN 'declined' WHEN n % 100 < 10 THEN 'authorized' ELSE 'captured' END`;

/** Both rows of each payment. Bodies are samples: what counts here is their size and that they decode. */
const loadStatement = `
  INSERT INTO payment_events (payment_id, seq, merchant_id, position, occurred_at, type, status, is_live, currency, amount, authorized, captured,
    capture_pending, released, refunded, refund_pending, operation_id, merchant_reference, body)
  SELECT payment_id, seq, merchant_id, nextval('payment_events_position'), to_timestamp(ms / 1000.0),
    CASE seq WHEN 1 THEN 'authorization_requested' ELSE 'authorized' END, CASE seq WHEN 1 THEN 'processing' ELSE ${statusOf} END,
    true, 'EUR', 10000, 0, 0, 0, 0, 0, 0, NULL, CASE seq WHEN 1 THEN 'order-' || n END, ($6::bytea[])[seq]
  FROM (
    SELECT i / 2 AS n, ms, (lpad(to_hex(ms), 12, '0') || substr(md5(i::text), 1, 20))::uuid AS payment_id,
      ($5::uuid[])[CASE i % 2 WHEN 0 THEN 1 ELSE 2 + (i / 2) % ($7::int - 1) END] AS merchant_id
    FROM (SELECT i, $3::bigint + i * $4::bigint / ${2 * bigMerchantPayments} AS ms FROM generate_series($1::bigint, $2::bigint) AS i) moment
  ) payment, generate_series(1, 2) AS seq`;

export async function loadBigMerchant(sql: Sql): Promise<BigMerchant> {
  const merchants = Array.from({ length: 101 }, () => makeId("merchant", Date.now(), randomBytes(10)));
  const toMs = Date.now();
  const fromMs = toMs - spreadMs;
  const ids = arrayLiteral(merchants.map(idToHex));
  const bodies = byteaArrayLiteral(sampleBodies());
  for (let first = 0, count = 1; first < 2 * bigMerchantPayments; first += paymentsPerStatement, count++) {
    const last = first + paymentsPerStatement - 1;
    await sql.unsafe(loadStatement, [first, last, fromMs, spreadMs, ids, bodies, merchants.length]);
    if (count % statementsInARow === 0) await sleep(restMs);
  }
  return { merchantId: merchants[0] as string, smallMerchantId: merchants[1] as string, fromMs, toMs };
}

function sampleBodies(): readonly Uint8Array[] {
  const context = { nowMs: Date.now(), origin: sampleOrigin };
  const attempt = sampleAttempt(makeId("attempt", context.nowMs, randomBytes(10)));
  const intent = requestAuthorization(draft(sampleCreate(), context.nowMs), attempt, { ...context });
  if (intent.kind !== "append") throw new Error("a sample is refused");
  const answer = { attemptId: attempt.attemptId, outcome: sampleOutcomes.approved };
  const outcome = recordAuthorization(intent.transition.payment, answer, { ...context, authorizationLifetimeMs: sampleLifetimeMs });
  if (outcome.kind !== "append") throw new Error("a sample is ignored");
  return encodeTransitions([intent.transition, outcome.transition]).map((body) => {
    if (body instanceof Error) throw body;
    return body;
  });
}
