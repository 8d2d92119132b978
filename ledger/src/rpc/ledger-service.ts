/**
 * The books over RPC: validate, read, translate. Nothing can be posted this way.
 */
import { create } from "@bufbuild/protobuf";
import {
  EntrySchema,
  type GetBalanceRequest,
  GetBalanceResponseSchema,
  LedgerService,
  type ListEntriesRequest,
  ListEntriesResponseSchema,
  TrialBalanceLineSchema,
  TrialBalanceResponseSchema,
} from "@florin/gen/ledger/v1/ledger";
import { invalid, isCurrency, isId } from "@florin/kernel";
import { type Sql, toDatabaseFault } from "@florin/runtime/postgres";
import { implement, type ServiceImplementation } from "@florin/runtime/rpc";
import { accountNameLengthMax } from "../domain/account.ts";
import { outstanding, zeroBalance } from "../domain/balance.ts";
import { purposeDescriptions } from "../domain/posting.ts";
import { type Entry, listEntriesOfAccount, listEntriesOfPayment, readBalance, readTrialBalance } from "../store/books.ts";

const entriesPerPageDefault = 100;
const entriesPerPageMax = 1_000;

export function createLedgerService(sql: Sql): ServiceImplementation {
  return implement(LedgerService, {
    getBalance: (request) => reading(() => getBalance(sql, request)),
    listEntries: (request) => reading(() => listEntries(sql, request)),
    trialBalance: () => reading(() => trialBalance(sql)),
  });
}

async function reading<Answer>(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (thrown) {
    throw toDatabaseFault(thrown);
  }
}

async function getBalance(sql: Sql, request: GetBalanceRequest) {
  checkAccount(request.account);
  if (request.currency === "") throw invalid("parameter_missing", "currency is required", "currency");
  checkCurrency(request.currency);
  const { balance, throughPosition } = await readBalance(sql, { name: request.account, currency: request.currency });
  const known = balance ?? zeroBalance;
  const pending = outstanding(known);
  return create(GetBalanceResponseSchema, {
    found: balance !== undefined,
    debitsPosted: known.debitsPosted,
    creditsPosted: known.creditsPosted,
    debitsPending: pending.debits,
    creditsPending: pending.credits,
    throughPosition,
  });
}

async function listEntries(sql: Sql, request: ListEntriesRequest) {
  if ((request.account === "") === (request.paymentId === ""))
    throw invalid("parameter_invalid", "exactly one of account and payment_id is required", "account");
  if (request.limit > entriesPerPageMax) throw invalid("parameter_invalid", `limit is at most ${entriesPerPageMax}`, "limit");
  if (request.afterEntryId < 0n) throw invalid("parameter_invalid", "after_entry_id is not negative", "after_entry_id");
  const limit = request.limit === 0 ? entriesPerPageDefault : request.limit;
  const page = { afterEntryId: request.afterEntryId, limit: limit + 1 };
  const entries = request.paymentId === "" ? await entriesOfAccount(sql, request, page) : await entriesOfPayment(sql, request, page);
  return create(ListEntriesResponseSchema, { entries: entries.slice(0, limit).map(toWire), hasMore: entries.length > limit });
}

function entriesOfAccount(sql: Sql, request: ListEntriesRequest, page: { afterEntryId: bigint; limit: number }) {
  checkAccount(request.account);
  if (request.currency !== "") checkCurrency(request.currency);
  return listEntriesOfAccount(sql, { name: request.account, currency: request.currency }, page);
}

function entriesOfPayment(sql: Sql, request: ListEntriesRequest, page: { afterEntryId: bigint; limit: number }) {
  if (!isId("payment", request.paymentId)) throw invalid("parameter_invalid", "payment_id is not a payment's id", "payment_id");
  if (request.currency !== "") throw invalid("parameter_invalid", "currency goes with account only", "currency");
  return listEntriesOfPayment(sql, request.paymentId, page);
}

async function trialBalance(sql: Sql) {
  const { lines, throughPosition } = await readTrialBalance(sql);
  return create(TrialBalanceResponseSchema, {
    lines: lines.map((line) => create(TrialBalanceLineSchema, line)),
    isBalanced: lines.every((line) => line.debits === line.credits),
    throughPosition,
  });
}

function toWire(entry: Entry) {
  return create(EntrySchema, {
    id: entry.id,
    position: entry.position,
    paymentId: entry.paymentId,
    account: entry.account,
    side: entry.side,
    layer: entry.layer,
    amount: entry.amount,
    currency: entry.currency,
    eventType: entry.eventType,
    occurredAtMs: BigInt(entry.occurredAtMs),
    description: purposeDescriptions[entry.purpose],
  });
}

function checkAccount(name: string): void {
  if (name === "") throw invalid("parameter_missing", "account is required", "account");
  if (name.length > accountNameLengthMax)
    throw invalid("parameter_invalid", `account is at most ${accountNameLengthMax} characters`, "account");
}

function checkCurrency(currency: string): void {
  if (!isCurrency(currency)) throw invalid("currency_unknown", "currency is not an active ISO 4217 code", "currency");
}
