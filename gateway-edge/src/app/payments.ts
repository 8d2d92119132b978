/**
 * What a merchant may do with payments, the same for REST and Connect: a span, a time limit, the call to the switch, and its fault in words
 * that are the merchant's business. What holds a card number goes nowhere.
 *
 * Nothing is decided, repeated or cancelled here. A caller that hangs up changes nothing: its key names the intent, and the outcome waits in
 * the log for the repetition.
 */
import { AppError, type ErrorCode, toAppError } from "@florin/kernel";
import type { CallOptions } from "@florin/runtime/rpc";
import type { SpanOutcome, Tracer } from "@florin/runtime/telemetry";
import type {
  AuthorizeRequest,
  CallIdentity,
  CaptureRequest,
  CreateRequest,
  GetPaymentResponse,
  ListEventsRequest,
  ListPaymentEventsResponse,
  ListPaymentsResponse,
  ListRequest,
  OperationResult,
  PaymentSwitch,
  RefundRequest,
  VoidRequest,
} from "../clients/payment-switch.ts";
import { problemOfCardInNewPayment, problemOfCardInToken, problemOfCardNumber } from "../domain/card-data-rule.ts";

/** A call of a merchant. `traceparent` as its request carried it, unchecked. */
export type MerchantCall = CallIdentity & { readonly traceparent: string | undefined };

export interface Payments {
  create(call: MerchantCall, request: CreateRequest): Promise<OperationResult>;
  authorize(call: MerchantCall, request: AuthorizeRequest): Promise<OperationResult>;
  capture(call: MerchantCall, request: CaptureRequest): Promise<OperationResult>;
  void(call: MerchantCall, request: VoidRequest): Promise<OperationResult>;
  refund(call: MerchantCall, request: RefundRequest): Promise<OperationResult>;
  get(call: MerchantCall, paymentId: string): Promise<GetPaymentResponse>;
  list(call: MerchantCall, request: ListRequest): Promise<ListPaymentsResponse>;
  listEvents(call: MerchantCall, request: ListEventsRequest): Promise<ListPaymentEventsResponse>;
  /** Calls to the switch without an answer. */
  readonly inFlight: number;
}

export type PaymentsOptions = {
  readonly paymentSwitch: PaymentSwitch;
  readonly tracer: Tracer;
  /** Mutations wait for a processor (ms). After it the outcome is unknown. */
  readonly mutationTimeoutMs: number;
  readonly readTimeoutMs: number;
};

export function createPayments({ paymentSwitch, tracer, mutationTimeoutMs, readTimeoutMs }: PaymentsOptions): Payments {
  let inFlight = 0;
  const ask = async <T>(
    name: string,
    call: MerchantCall,
    timeoutMs: number,
    send: (options: CallOptions) => Promise<T>,
    outcomeOf: (answer: T) => SpanOutcome = answered,
  ): Promise<T> => {
    const span = tracer.startSpan(name, { parent: call.traceparent, kind: "server" });
    inFlight += 1;
    try {
      const answer = await send({ timeoutMs, traceparent: span.traceparent });
      span.end(outcomeOf(answer), span.isRecording ? { request_id: call.requestId, merchant_id: call.key.merchantId } : undefined);
      return answer;
    } catch (thrown) {
      span.end("fault", span.isRecording ? { request_id: call.requestId } : undefined);
      throw toMerchantFault(toAppError(thrown));
    } finally {
      inFlight -= 1;
    }
  };
  /** For what a merchant wrote freely. */
  const unless = <T>(problem: AppError | undefined, go: () => Promise<T>): Promise<T> =>
    problem === undefined ? go() : Promise.reject(problem);
  const mutate = (name: string, call: MerchantCall, send: (options: CallOptions) => Promise<OperationResult>): Promise<OperationResult> =>
    ask(name, call, mutationTimeoutMs, send, (result) => (result.refusal === undefined ? "ok" : "refused"));
  return {
    create: (call, request) =>
      unless(problemOfCardInNewPayment(request), () =>
        mutate("edge.create_payment", call, (options) => paymentSwitch.create(call, request, options)),
      ),
    authorize: (call, request) =>
      unless(problemOfCardInToken(request.paymentMethod), () =>
        mutate("edge.authorize_payment", call, (options) => paymentSwitch.authorize(call, request, options)),
      ),
    capture: (call, request) => mutate("edge.capture_payment", call, (options) => paymentSwitch.capture(call, request, options)),
    void: (call, request) => mutate("edge.void_payment", call, (options) => paymentSwitch.void(call, request, options)),
    refund: (call, request) =>
      unless(problemOfCardNumber(request.reason, "reason"), () =>
        mutate("edge.refund_payment", call, (options) => paymentSwitch.refund(call, request, options)),
      ),
    get: (call, paymentId) => ask("edge.get_payment", call, readTimeoutMs, (options) => paymentSwitch.get(call, paymentId, options)),
    list: (call, request) =>
      unless(problemOfCardNumber(request.merchantReference, "merchant_reference"), () =>
        ask("edge.list_payments", call, readTimeoutMs, (options) => paymentSwitch.list(call, request, options)),
      ),
    listEvents: (call, request) =>
      ask("edge.list_payment_events", call, readTimeoutMs, (options) => paymentSwitch.listEvents(call, request, options)),
    get inFlight() {
      return inFlight;
    },
  };
}

const answered = (): SpanOutcome => "ok";

/** Faults between our own processes that would tell a merchant to mend what is ours to mend. */
const oursToMend: Partial<Record<ErrorCode, ErrorCode>> = {
  api_key_missing: "internal",
  api_key_invalid: "internal",
  caller_not_allowed: "internal",
  route_unknown: "internal",
  method_not_allowed: "internal",
  rate_limited: "overloaded",
  cancelled: "unavailable",
};

/** A fault of the switch as the merchant sees it; what is known about the work stays. */
export function toMerchantFault(fault: AppError): AppError {
  const code = oursToMend[fault.code];
  if (code === undefined) return fault;
  return new AppError(code, "a part of ours refused the call", { work: fault.work, cause: fault });
}
