/** How fast the lists answer a merchant with 200,000 payments, by the partial indexes and by the projection, one request at a time. */
import { performance } from "node:perf_hooks";
import { required } from "@florin/kernel";
import { connectPostgres, type ServiceDatabase, type Sql } from "@florin/runtime/postgres";
import { createPaymentLists, type ListQuery, type PaymentLists } from "../../src/store/payment-lists.ts";
import { countReading } from "../../test/log-reading.ts";
import { bigMerchantPayments, loadBigMerchant } from "./big-merchant.ts";
import { createProjectedLists } from "./projected-lists.ts";
import { projectionFill, projectionSchema } from "./projection.ts";

const requests = 300;
const warmUps = 20;
const pageSize = 20;

type Question = { readonly name: string; readonly query: (turn: number) => ListQuery };

export async function compareReads(urls: ServiceDatabase): Promise<Record<string, string | number>[]> {
  const owner = connectPostgres({ url: urls.ownerUrl, name: "bench-load", connectionsMax: 1, statementTimeoutMs: 0 });
  const merchant = await loadBigMerchant(owner);
  await owner.unsafe(`${projectionSchema}; ${projectionFill}`);
  for (const table of ["payment_events", "payments_current"]) await owner.unsafe(`VACUUM (ANALYZE) ${table}`);
  await owner.end();
  const sql = connectPostgres({ url: urls.appUrl, name: "bench-lists", connectionsMax: 1 });
  const plans = [
    { name: "indexes", lists: createPaymentLists(sql), deep: await cursorAfter(createPaymentLists(sql), merchant) },
    { name: "projection", lists: createProjectedLists(sql), deep: await cursorAfter(createProjectedLists(sql), merchant) },
  ];
  const rows = [];
  for (const { name, lists, deep } of plans) {
    for (const question of questionsOf(merchant, deep)) rows.push({ lists: name, ...(await ask(sql, lists, question)) });
    rows.push({ lists: name, ...(await searchToTheEnd(lists, merchant)) });
  }
  await sql.end();
  return rows;
}

type Merchant = Awaited<ReturnType<typeof loadBigMerchant>>;

function baseOf({ merchantId }: Merchant): ListQuery {
  return { merchantId, mode: "live", limit: pageSize, cursor: "" };
}

/** A page of 100 that ends at the middle of three quarters of the merchant's time: its cursor is a long way down. */
type Lists = Pick<PaymentLists, "list">;

async function cursorAfter(lists: Lists, merchant: Merchant): Promise<string> {
  const createdToMs = Math.round(merchant.fromMs + (merchant.toMs - merchant.fromMs) / 4);
  const page = await lists.list({ ...baseOf(merchant), createdToMs });
  return required(page.nextCursor === "" ? undefined : page.nextCursor, "a cursor a long way down");
}

function questionsOf(merchant: Merchant, deep: string): readonly Question[] {
  const base = baseOf(merchant);
  const lengthMs = merchant.toMs - merchant.fromMs;
  const day = 24 * 3_600_000;
  return [
    { name: "first page", query: () => base },
    { name: "common status", query: () => ({ ...base, status: "captured" }) },
    { name: "status of 7 %", query: () => ({ ...base, status: "declined" }) },
    { name: "rare status (10 of 200,000), first answer", query: () => ({ ...base, status: "expired" }) },
    { name: "absent status, first answer", query: () => ({ ...base, status: "ambiguous" }) },
    { name: "reference", query: (turn) => ({ ...base, merchantReference: `order-${(turn * 7_919) % bigMerchantPayments}` }) },
    {
      name: "created in a day",
      query: (turn) => {
        const createdFromMs = Math.round(merchant.fromMs + ((turn * 0.618) % 0.9) * lengthMs);
        return { ...base, createdFromMs, createdToMs: createdFromMs + day };
      },
    },
    { name: "deep cursor", query: () => ({ ...base, cursor: deep }) },
    { name: "deep cursor, common status", query: () => ({ ...base, cursor: deep, status: "captured" }) },
  ];
}

async function ask(sql: Sql, lists: Lists, { name, query }: Question) {
  for (let turn = 0; turn < warmUps; turn++) await lists.list(query(turn));
  const tookMs: number[] = [];
  let payments = 0;
  for (let turn = 0; turn < requests; turn++) {
    const startedMs = performance.now();
    const page = await lists.list(query(turn + warmUps));
    tookMs.push(performance.now() - startedMs);
    payments += page.payments.length;
  }
  // By now the statement has the plan that it keeps.
  const { byIndex, unindexed } = await countReading(sql, () => lists.list(query(warmUps)));
  const entries = Object.values(byIndex).reduce((sum, read) => sum + read, unindexed);
  return { list: name, ...percentilesOf(tookMs), requests, payments: Number((payments / requests).toFixed(1)), "log entries": entries };
}

/** All pages of the rare status, to the end of the merchant's history. */
async function searchToTheEnd(lists: Lists, merchant: Merchant) {
  const tookMs: number[] = [];
  let payments = 0;
  let cursor = "";
  do {
    const startedMs = performance.now();
    const page = await lists.list({ ...baseOf(merchant), status: "expired", cursor });
    tookMs.push(performance.now() - startedMs);
    payments += page.payments.length;
    cursor = page.nextCursor;
  } while (cursor !== "");
  const wholeMs = tookMs.reduce((sum, ms) => sum + ms, 0);
  return { list: "rare status, all pages", ...percentilesOf(tookMs), requests: tookMs.length, payments, "whole ms": wholeMs.toFixed(0) };
}

function percentilesOf(tookMs: readonly number[]) {
  const sorted = tookMs.toSorted((left, right) => left - right);
  const at = (share: number) => required(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))], "a reading").toFixed(2);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
