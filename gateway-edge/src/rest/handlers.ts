/**
 * One function per operation: from checked input to a request of the contract, and from the answer to bytes.
 *
 * Each gets the input after its schema held; what a schema cannot say (a currency exists, one field needs another) is checked here.
 */
import { CaptureMode, Disposition, type OperationResult, PaymentStatus } from "@florin/gen/payments/v1/payments";
import { type AppError, assert, invalid } from "@florin/kernel";
import type { MerchantCall } from "../app/asking.ts";
import type { Payments } from "../app/payments.ts";
import type { Tokens } from "../app/tokens.ts";
import { limits } from "../domain/limits.ts";
import {
  paymentNotFound,
  problemOfCurrency,
  problemOfCustomerIp,
  problemOfPaymentId,
  problemOfToken,
  problemOfUniqueReference,
  timeSentence,
  tokenIsNoMore,
} from "../domain/payment-rules.ts";
import type { Answer } from "./answer.ts";
import { api, type OperationId } from "./api.ts";
import { refusalAnswer, retryAfterS } from "./error-answer.ts";
import { parseIsoTime } from "./iso-time.ts";
import { statusWords, writePayment } from "./payment-view.ts";
import { writeRouting } from "./routing-view.ts";
import type {
  AuthorizeBody,
  AuthorizeNewBody,
  CaptureBody,
  CreatePaymentBody,
  ListEventsQuery,
  ListPaymentsQuery,
  RefundBody,
} from "./schemas.ts";
import { writePaymentPage, writeTimeline } from "./timeline-view.ts";
import { writeDeletedToken, writeToken } from "./token-view.ts";

/** What a handler may see of a request. `body` and `query` have passed the operation's schemas. */
export type Input = {
  readonly call: MerchantCall;
  /** Checked for mutations, empty for reads. */
  readonly idempotencyKey: string;
  /** From the path; empty where the path has none. */
  readonly id: string;
  readonly body: unknown;
  readonly query: unknown;
};
/** What merchants may ask for. */
export type Desks = { readonly payments: Payments; readonly tokens: Tokens };
type Handler = (desks: Desks, input: Input) => Promise<Answer>;

export const handlers: Readonly<Record<OperationId, Handler>> = {
  async createPayment({ payments }, { call, idempotencyKey, body }) {
    const { payment_method: paymentMethod, confirm = false, ...fields } = body as CreatePaymentBody;
    if (confirm && paymentMethod === undefined)
      throw invalid("parameter_missing", "payment_method is required when confirm is true", "payment_method");
    const request = { idempotencyKey, confirm, ...newPayment(fields), ...(paymentMethod === undefined ? {} : { paymentMethod }) };
    return operationAnswer(await payments.create(call, request), call, api.createPayment.doneStatus);
  },

  async authorizeNewPayment({ payments }, { call, idempotencyKey, body }) {
    const { payment_method: paymentMethod, ...fields } = body as AuthorizeNewBody;
    const request = { idempotencyKey, confirm: true, paymentMethod, ...newPayment(fields) };
    return operationAnswer(await payments.create(call, request), call, api.authorizeNewPayment.doneStatus);
  },

  async authorizePayment({ payments }, { call, idempotencyKey, id, body }) {
    const { payment_method: paymentMethod, customer_ip: customerIp = "" } = body as AuthorizeBody;
    refuse(problemOfPaymentId(id) ?? problemOfCustomerIp(customerIp));
    const result = await payments.authorize(call, { idempotencyKey, paymentId: id, paymentMethod, customerIp });
    return operationAnswer(result, call, api.authorizePayment.doneStatus);
  },

  async capturePayment({ payments }, { call, idempotencyKey, id, body }) {
    refuse(problemOfPaymentId(id));
    const result = await payments.capture(call, { idempotencyKey, paymentId: id, ...amountOf(body as CaptureBody) });
    return operationAnswer(result, call, api.capturePayment.doneStatus);
  },

  async voidPayment({ payments }, { call, idempotencyKey, id }) {
    refuse(problemOfPaymentId(id));
    return operationAnswer(await payments.void(call, { idempotencyKey, paymentId: id }), call, api.voidPayment.doneStatus);
  },

  async refundPayment({ payments }, { call, idempotencyKey, id, body }) {
    const { reason, ...rest } = body as RefundBody;
    refuse(problemOfPaymentId(id));
    const result = await payments.refund(call, { idempotencyKey, paymentId: id, reason, ...amountOf(rest) });
    return operationAnswer(result, call, api.refundPayment.doneStatus);
  },

  async getPayment({ payments }, { call, id }) {
    refuse(problemOfPaymentId(id));
    const { payment } = await payments.get(call, id);
    if (payment === undefined) throw paymentNotFound();
    return { status: 200, body: writePayment(payment) };
  },

  async listPayments({ payments }, { call, query }) {
    const {
      status,
      limit,
      created_from: from,
      created_to: to,
      cursor = "",
      merchant_reference: merchantReference = "",
      idempotency_degraded: degraded,
    } = query as ListPaymentsQuery;
    const page = await payments.list(call, {
      cursor,
      merchantReference,
      limit: integerOf(limit, "limit", { min: 1, max: limits.pageSizeMax, fallback: limits.pageSizeDefault }),
      status: status === undefined ? PaymentStatus.UNSPECIFIED : statusOf(status as string),
      createdFromMs: timeOf(from, "created_from"),
      createdToMs: timeOf(to, "created_to"),
      idempotencyDegraded: degraded === "true",
    });
    return { status: 200, body: writePaymentPage(page) };
  },

  async listPaymentEvents({ payments }, { call, id, query }) {
    const { limit, after_sequence: after } = query as ListEventsQuery;
    refuse(problemOfPaymentId(id));
    const page = await payments.listEvents(call, {
      paymentId: id,
      limit: integerOf(limit, "limit", { min: 1, max: limits.pageSizeMax, fallback: limits.timelinePageSizeDefault }),
      afterSequence: integerOf(after, "after_sequence", { min: 0, max: 4_294_967_295, fallback: 0 }),
    });
    if (!page.found) throw paymentNotFound();
    return { status: 200, body: writeTimeline(page) };
  },

  async getPaymentRouting({ payments }, { call, id }) {
    refuse(problemOfPaymentId(id));
    const routing = await payments.getRouting(call, id);
    if (!routing.found) throw paymentNotFound();
    return { status: 200, body: writeRouting(routing) };
  },

  async getToken({ tokens }, { call, id }) {
    refuse(problemOfToken(id));
    const { token, refusal } = await tokens.get(call, id);
    if (token === undefined) throw tokenIsNoMore(refusal);
    return { status: 200, body: writeToken(token, call.key.mode === "live") };
  },

  async deleteToken({ tokens }, { call, id }) {
    refuse(problemOfToken(id));
    const { found } = await tokens.delete(call, id);
    if (!found) throw tokenIsNoMore("token_not_found");
    return { status: 200, body: writeDeletedToken(id) };
  },
};

/** The status rules of P1. */
export function operationAnswer(result: OperationResult, call: Pick<MerchantCall, "requestId">, doneStatus: 200 | 201): Answer {
  const { disposition, payment } = result;
  const isReplayed = disposition === Disposition.REPLAYED;
  if (result.refusal !== undefined) return { ...refusalAnswer(result, call.requestId), isReplayed };
  if (disposition === Disposition.IN_FLIGHT)
    return {
      status: 202,
      body: payment === undefined ? nothingYet : writePayment(payment),
      retryAfterS: retryAfterS(result.retryAfterMs || 2_000),
    };
  assert(payment !== undefined && (isReplayed || disposition === Disposition.DONE), "an operation that ended has a payment");
  return { status: isReplayed ? 200 : doneStatus, body: writePayment(payment), isReplayed };
}

/** The fields of a payment, where no payment is known yet. */
const nothingYet = '{"id":null,"status":"processing"}';

const captureModes: Readonly<Record<string, CaptureMode>> = { manual: CaptureMode.MANUAL, automatic: CaptureMode.AUTOMATIC };

function newPayment(fields: Omit<AuthorizeNewBody, "payment_method">) {
  const {
    currency,
    customer_ip: customerIp = "",
    merchant_reference: merchantReference = "",
    unique_reference: uniqueReference = false,
  } = fields;
  refuse(
    problemOfCurrency(currency) ?? problemOfCustomerIp(customerIp) ?? problemOfUniqueReference({ merchantReference, uniqueReference }),
  );
  return {
    amount: BigInt(fields.amount),
    currency,
    captureMode: captureModes[fields.capture_mode ?? "manual"] ?? CaptureMode.MANUAL,
    merchantReference,
    uniqueReference,
    description: fields.description ?? "",
    metadata: fields.metadata ?? {},
    customerIp,
  };
}

function amountOf({ amount }: CaptureBody): { readonly amount?: bigint } {
  return amount === undefined ? {} : { amount: BigInt(amount) };
}

const statusNumbers: ReadonlyMap<string, PaymentStatus> = new Map(
  Object.entries(statusWords).map(([number, word]) => [word, Number(number) as PaymentStatus]),
);

function statusOf(word: string): PaymentStatus {
  const status = statusNumbers.get(word);
  assert(status !== undefined, "the schema lets only words of the table through");
  return status;
}

type IntegerRange = { readonly min: number; readonly max: number; readonly fallback: number };

function integerOf(text: string | undefined, param: string, { min, max, fallback }: IntegerRange): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (value >= min && value <= max) return value;
  throw invalid("parameter_invalid", `${param} must be from ${min} to ${max}`, param);
}

function timeOf(text: string | undefined, param: string): bigint {
  if (text === undefined) return 0n;
  const time = parseIsoTime(text);
  if (time === undefined) throw invalid("parameter_invalid", `${param} ${timeSentence}`, param);
  return time;
}

function refuse(problem: AppError | undefined): void {
  if (problem !== undefined) throw problem;
}
