/** What a merchant may do with payments, the same for REST and Connect. What holds a card number goes nowhere. */
import type { AppError } from "@florin/kernel";
import type { CallOptions } from "@florin/runtime/rpc";
import type {
  AuthorizeRequest,
  CaptureRequest,
  CreateRequest,
  GetPaymentResponse,
  GetPaymentRoutingResponse,
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
import type { WorkName } from "../domain/workload.ts";
import type { Asking, MerchantCall } from "./asking.ts";

export interface Payments {
  create(call: MerchantCall, request: CreateRequest): Promise<OperationResult>;
  authorize(call: MerchantCall, request: AuthorizeRequest): Promise<OperationResult>;
  capture(call: MerchantCall, request: CaptureRequest): Promise<OperationResult>;
  void(call: MerchantCall, request: VoidRequest): Promise<OperationResult>;
  refund(call: MerchantCall, request: RefundRequest): Promise<OperationResult>;
  get(call: MerchantCall, paymentId: string): Promise<GetPaymentResponse>;
  list(call: MerchantCall, request: ListRequest): Promise<ListPaymentsResponse>;
  listEvents(call: MerchantCall, request: ListEventsRequest): Promise<ListPaymentEventsResponse>;
  getRouting(call: MerchantCall, paymentId: string): Promise<GetPaymentRoutingResponse>;
}

/** `mutationTimeoutMs`: mutations wait for a processor; after it the outcome is unknown. */
export function createPayments(o: {
  readonly paymentSwitch: PaymentSwitch;
  readonly asking: Asking;
  readonly mutationTimeoutMs: number;
  readonly readTimeoutMs: number;
}): Payments {
  const { paymentSwitch, mutationTimeoutMs, readTimeoutMs } = o;
  const { ask } = o.asking;
  /** For what a merchant wrote freely. */
  const unless = <T>(problem: AppError | undefined, go: () => Promise<T>): Promise<T> =>
    problem === undefined ? go() : Promise.reject(problem);
  const mutate = (name: WorkName, call: MerchantCall, send: (options: CallOptions) => Promise<OperationResult>): Promise<OperationResult> =>
    ask({
      name,
      call,
      timeoutMs: mutationTimeoutMs,
      send,
      outcomeOf: (result) => (result.refusal === undefined ? "ok" : "refused"),
      processorMsOf: (result) => result.processorMs,
    });
  const read = <T>(name: WorkName, call: MerchantCall, send: (options: CallOptions) => Promise<T>): Promise<T> =>
    ask({ name, call, timeoutMs: readTimeoutMs, send });
  return {
    create: (call, request) =>
      unless(problemOfCardInNewPayment(request), () =>
        mutate("createPayment", call, (options) => paymentSwitch.create(call, request, options)),
      ),
    authorize: (call, request) =>
      unless(problemOfCardInToken(request.paymentMethod), () =>
        mutate("authorizePayment", call, (options) => paymentSwitch.authorize(call, request, options)),
      ),
    capture: (call, request) => mutate("capturePayment", call, (options) => paymentSwitch.capture(call, request, options)),
    void: (call, request) => mutate("voidPayment", call, (options) => paymentSwitch.void(call, request, options)),
    refund: (call, request) =>
      unless(problemOfCardNumber(request.reason, "reason"), () =>
        mutate("refundPayment", call, (options) => paymentSwitch.refund(call, request, options)),
      ),
    get: (call, paymentId) => read("getPayment", call, (options) => paymentSwitch.get(call, paymentId, options)),
    list: (call, request) =>
      unless(problemOfCardNumber(request.merchantReference, "merchant_reference"), () =>
        read("listPayments", call, (options) => paymentSwitch.list(call, request, options)),
      ),
    listEvents: (call, request) => read("listPaymentEvents", call, (options) => paymentSwitch.listEvents(call, request, options)),
    getRouting: (call, paymentId) => read("getPaymentRouting", call, (options) => paymentSwitch.getRouting(call, paymentId, options)),
  };
}
