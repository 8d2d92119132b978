/** PaymentService: checks, translates, calls the use case, translates back. Unary calls and frames enter here alike. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Caller,
  Disposition,
  type GetPaymentRequest,
  type GetPaymentRoutingRequest,
  type ListPaymentEventsRequest,
  type ListPaymentsRequest,
  type OperationResultSchema,
  type PaymentMethod,
  PaymentService,
  type RoutingDecisionSchema,
  type TimelineEntrySchema,
} from "@florin/gen/payments/v1/payments";
import { invalid } from "@florin/kernel";
import { type CallBudget, createCallBudget } from "@florin/runtime/resilience";
import { type CallContext, implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { Tracer } from "@florin/runtime/telemetry";
import type { AttemptCommand } from "../app/attempt-card.ts";
import { authorizeExisting, createOrAuthorize } from "../app/authorize-payment.ts";
import type { Workload } from "../app/live-limits.ts";
import { capturePayment, refundPayment, voidPayment } from "../app/move-money.ts";
import type { OperationAnswer } from "../app/operation.ts";
import type { Parts } from "../app/parts.ts";
import type { AmountTotals, PaymentEvent, Refusal, Transition } from "../domain/payment/index.ts";
import { type RoutingStory, routingStories } from "../domain/routing/index.ts";
import type { PaymentLists } from "../store/payment-lists.ts";
import { paymentToWire, statusFromWire, wireStatus } from "../wire.ts";
import type { Bulkheads } from "./bulkheads.ts";
import {
  callerOf,
  checkAmount,
  checkCaptureMode,
  checkCurrency,
  checkFilled,
  checkIp,
  checkKey,
  checkMetadata,
  checkPaymentId,
  checkText,
  limits,
} from "./validate.ts";

const inFlightRetryAfterMs = 2_000;
const listLimitDefault = 20;
const timelineLimitDefault = 100;
/** Events of a payment that are looked through for how it was routed; a payment has fewer. */
const routingRowsMax = 2_000;

type Measured = "create" | "authorize" | "capture" | "void" | "refund";

export type PaymentServiceParts = {
  readonly parts: Parts;
  readonly lists: PaymentLists;
  readonly bulkheads: Bulkheads;
  readonly tracer: Tracer;
};

/** A call as it is worked on: its span, and how long its caller waits. */
type Call = { readonly traceparent: string; readonly budget: CallBudget };

/**
 * Of a caller's time, kept for recording what a processor has said (a commit, and a second one when the first meets a conflict); a processor
 * that would have less than the least is not asked. An edge waits for at least a second.
 */
const budgetSettings = { marginMs: 500, askMsMin: 200 } as const;

const workloads: Readonly<Record<Measured, Workload>> = {
  create: "authorize",
  authorize: "authorize",
  capture: "capture",
  void: "refund",
  refund: "refund",
};

export function createPaymentService({ parts, lists, bulkheads, tracer }: PaymentServiceParts): ServiceImplementation {
  const { getPayment, listPayments, listPaymentEvents, getPaymentRouting } = readsOf({ parts, lists });
  type Asked = { readonly caller?: Caller | undefined };
  const within = <T>(workload: Workload, { caller }: Asked, run: () => Promise<T>): Promise<T> =>
    bulkheads.within(workload, caller?.merchantId ?? "", run);
  const answer = (name: Measured, request: Asked, context: CallContext, work: (call: Call) => Promise<OperationAnswer>) =>
    within(workloads[name], request, () => measured(name, context, work));
  const measured = async (name: Measured, context: CallContext, work: (call: Call) => Promise<OperationAnswer>) => {
    const startedMs = performance.now();
    const timeoutMs = context.deadlineAtMs - Date.now();
    const budget = createCallBudget({ timeoutMs, settings: budgetSettings, monotonicMs: parts.timing.monotonicMs });
    const span = tracer.startSpan(`switch.${name}`, {
      parent: context.traceparent === "" ? undefined : context.traceparent,
      kind: "server",
    });
    let outcome: ReturnType<typeof outcomeOf> | "fault" = "fault";
    try {
      const result = await work({ traceparent: span.traceparent, budget });
      outcome = outcomeOf(result);
      return { result: { ...toResult(result), processorMs: budget.elsewhereMs } };
    } finally {
      span.end(outcome === "fault" ? "fault" : outcome === "refused" ? "refused" : "ok");
      parts.metrics.record("switch_operation_duration_seconds", (performance.now() - startedMs) / 1000, { operation: name, outcome });
    }
  };
  return implement(PaymentService, {
    createPayment: (request, context) =>
      answer(request.confirm ? "authorize" : "create", request, context, ({ traceparent, budget }) => {
        const caller = callerOf(request.caller, traceparent, budget);
        const payment = {
          amount: checkAmount(request.amount),
          currency: checkCurrency(request.currency),
          captureMode: checkCaptureMode(request.captureMode),
          merchantReference: checkText(request.merchantReference, "merchant_reference", limits.referenceLengthMax),
          uniqueReference: checkUnique(request.uniqueReference, request.merchantReference),
          description: checkText(request.description, "description", limits.descriptionLengthMax),
          metadata: checkMetadata(request.metadata),
        };
        const attempt = request.confirm ? attemptOf(request.paymentMethod, request.customerIp) : undefined;
        return createOrAuthorize(parts, { caller, idempotencyKey: checkKey(request.idempotencyKey), payment, attempt });
      }),
    authorizePayment: (request, context) =>
      answer("authorize", request, context, (call) =>
        authorizeExisting(parts, { ...commandOf(request, call), attempt: attemptOf(request.paymentMethod, request.customerIp) }),
      ),
    capturePayment: (request, context) =>
      answer("capture", request, context, (call) =>
        capturePayment(parts, { ...commandOf(request, call), amount: amountOf(request.amount) }),
      ),
    voidPayment: (request, context) => answer("void", request, context, (call) => voidPayment(parts, commandOf(request, call))),
    refundPayment: (request, context) =>
      answer("refund", request, context, (call) =>
        refundPayment(parts, {
          ...commandOf(request, call),
          amount: amountOf(request.amount),
          reason: checkFilled(request.reason, "reason", limits.reasonLengthMax),
        }),
      ),
    getPayment: (request, context) => within("read", request, () => getPayment(request, context)),
    listPayments: (request, context) => within("read", request, () => listPayments(request, context)),
    listPaymentEvents: (request, context) => within("read", request, () => listPaymentEvents(request, context)),
    getPaymentRouting: (request, context) => within("read", request, () => getPaymentRouting(request, context)),
  });
}

function readsOf({ parts, lists }: Pick<PaymentServiceParts, "parts" | "lists">) {
  return {
    async getPayment(request: GetPaymentRequest, context: CallContext) {
      const caller = callerOf(request.caller, context.traceparent);
      const payment = await parts.reader.newest({ id: checkPaymentId(request.paymentId), merchantId: caller.merchantId });
      return payment?.mode === caller.mode ? { payment: paymentToWire(payment) } : {};
    },
    async listPayments(request: ListPaymentsRequest, context: CallContext) {
      const { merchantId, mode } = callerOf(request.caller, context.traceparent);
      const status = statusFromWire(request.status);
      if (request.status !== 0 && status === undefined) throw invalid("parameter_invalid", "no such status", "status");
      const page = await lists.list({
        merchantId,
        mode,
        limit: limitOf(request.limit, listLimitDefault),
        cursor: request.cursor,
        ...(status !== undefined && { status }),
        ...(request.merchantReference !== "" && {
          merchantReference: checkText(request.merchantReference, "merchant_reference", limits.referenceLengthMax),
        }),
        isDegraded: request.idempotencyDegraded,
        ...(request.createdFromMs !== 0n && { createdFromMs: Number(request.createdFromMs) }),
        ...(request.createdToMs !== 0n && { createdToMs: Number(request.createdToMs) }),
      });
      return { payments: page.payments.map(paymentToWire), nextCursor: page.nextCursor };
    },
    async listPaymentEvents(request: ListPaymentEventsRequest, context: CallContext) {
      const { merchantId, mode } = callerOf(request.caller, context.traceparent);
      const which = { id: checkPaymentId(request.paymentId), merchantId };
      const limit = limitOf(request.limit, timelineLimitDefault);
      const payment = await parts.reader.newest(which);
      if (payment?.mode !== mode) return { found: false };
      const rows = await lists.timeline(which, { afterSequence: request.afterSequence, limit: limit + 1 });
      return { found: true, entries: rows.slice(0, limit).map(toEntry), hasMore: rows.length > limit };
    },
    async getPaymentRouting(request: GetPaymentRoutingRequest, context: CallContext) {
      const { merchantId, mode } = callerOf(request.caller, context.traceparent);
      const which = { id: checkPaymentId(request.paymentId), merchantId };
      const payment = await parts.reader.newest(which);
      if (payment?.mode !== mode) return { found: false };
      const rows = await lists.timeline(which, { afterSequence: 0, limit: routingRowsMax });
      return { found: true, decisions: routingStories(rows).map(toDecision) };
    },
  };
}

type Mutation = { readonly caller?: Parameters<typeof callerOf>[0]; readonly idempotencyKey: string; readonly paymentId: string };

function commandOf(request: Mutation, { traceparent, budget }: Call) {
  return {
    caller: callerOf(request.caller, traceparent, budget),
    idempotencyKey: checkKey(request.idempotencyKey),
    paymentId: checkPaymentId(request.paymentId),
  };
}

function attemptOf(method: PaymentMethod | undefined, customerIp: string): AttemptCommand {
  if (method === undefined) throw invalid("parameter_missing", "is required", "payment_method");
  if (method.type !== "card") throw invalid("parameter_invalid", "the only type is card", "payment_method.type");
  return { token: checkFilled(method.token, "payment_method.token", limits.tokenLengthMax), customerIp: checkIp(customerIp) };
}

function amountOf(amount: bigint | undefined): bigint | undefined {
  return amount === undefined ? undefined : checkAmount(amount);
}

function checkUnique(isUnique: boolean, reference: string): boolean {
  if (isUnique && reference === "") throw invalid("parameter_missing", "unique_reference needs a merchant_reference", "merchant_reference");
  return isUnique;
}

function limitOf(limit: number, limitDefault: number): number {
  if (limit > limits.pageMax) throw invalid("parameter_invalid", `a page has at most ${limits.pageMax} entries`, "limit");
  return limit === 0 ? limitDefault : limit;
}

function outcomeOf(answer: OperationAnswer) {
  if (answer.kind === "in_flight") return "in_flight";
  if (answer.kind === "replayed") return "replayed";
  if (answer.refusal === undefined) return "done";
  return answer.refusal.declineCode === undefined ? "refused" : "declined";
}

function toResult(answer: OperationAnswer): MessageInitShape<typeof OperationResultSchema> {
  const payment = answer.payment && { payment: paymentToWire(answer.payment) };
  if (answer.kind === "in_flight") return { disposition: Disposition.IN_FLIGHT, retryAfterMs: inFlightRetryAfterMs, ...payment };
  return {
    disposition: answer.kind === "done" ? Disposition.DONE : Disposition.REPLAYED,
    operationId: answer.operationId,
    ...payment,
    ...(answer.refusal && { refusal: refusalToWire(answer.refusal) }),
  };
}

function refusalToWire({ code, message, declineCode, param }: Refusal) {
  return { code, message, declineCode: declineCode ?? "", param: param ?? "" };
}

function toEntry({ event, payment }: Transition): MessageInitShape<typeof TimelineEntrySchema> {
  const { before } = event;
  return {
    sequence: event.sequence,
    type: event.type,
    occurredAtMs: BigInt(event.occurredAtMs),
    actor: event.origin.actor,
    requestId: event.origin.requestId,
    statusAfter: wireStatus[payment.status],
    amount: event.amount,
    operationId: event.operationId,
    details: detailsOf(event),
    after: totalsOf(payment),
    ...(before && { statusBefore: wireStatus[before.status], before: totalsOf(before.totals) }),
  };
}

function toDecision({ sequence, decidedAtMs, decision, attempts }: RoutingStory): MessageInitShape<typeof RoutingDecisionSchema> {
  const { strategy, rulesVersion, rulePath, isExploration, candidates } = decision;
  return {
    sequence,
    decidedAtMs: BigInt(decidedAtMs),
    strategy,
    rulesVersion,
    rulePath,
    exploration: isExploration,
    candidates: candidates.map(({ processor, rank, reasons, feeMinor, rateBps }) => ({
      processor,
      rank,
      reasons: [...reasons],
      ...(feeMinor !== undefined && { fee: feeMinor }),
      ...(rateBps !== undefined && { approvalRateBps: rateBps }),
    })),
    attempts: attempts.map(({ attemptId, end, ...told }) => ({ id: attemptId, outcome: end, ...told, passedOver: [...told.passedOver] })),
  };
}

const totalsOf = ({ authorized, captured, refunded }: AmountTotals) => ({ authorized, captured, refunded });
/** How a way was chosen is told by GetPaymentRouting, in words that a reader needs no table for. */
function detailsOf({ details }: PaymentEvent): Record<string, string> {
  const { routing: _, ...rest } = details;
  return rest;
}
