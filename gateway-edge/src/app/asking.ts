/**
 * A question of a merchant's on its way to the switch: a place, a span, a time limit, the call, and its fault in words that are the merchant's
 * business.
 *
 * Nothing is decided, repeated or cancelled here. A caller that hangs up changes nothing: its key names the intent, and the outcome waits in
 * the log for the repetition.
 */
import { AppError, type ErrorCode, toAppError } from "@florin/kernel";
import type { CallOptions } from "@florin/runtime/rpc";
import type { SpanOutcome, Tracer } from "@florin/runtime/telemetry";
import type { CallIdentity } from "../clients/payment-switch.ts";
import type { WorkName } from "../domain/workload.ts";
import type { FrontDoor } from "./front-door.ts";

/** A call of a merchant. `traceparent` as its request carried it, unchecked. */
export type MerchantCall = CallIdentity & { readonly traceparent: string | undefined };

export type Question<T> = {
  readonly name: WorkName;
  readonly call: MerchantCall;
  readonly timeoutMs: number;
  readonly send: (options: CallOptions) => Promise<T>;
  readonly outcomeOf?: (answer: T) => SpanOutcome;
  /** How long the switch waited for a processor, ms. */
  readonly processorMsOf?: (answer: T) => number;
};

export interface Asking {
  /** Rejects with overloaded, not_done, when the house is full: then nothing was sent. */
  ask<T>(question: Question<T>): Promise<T>;
}

export function createAsking(o: { readonly tracer: Tracer; readonly door: FrontDoor }): Asking {
  const askWithin = async <T>({ name, call, timeoutMs, send, outcomeOf = answered }: Question<T>): Promise<T> => {
    const span = o.tracer.startSpan(spanNames[name], { parent: call.traceparent, kind: "server" });
    try {
      const answer = await send({ timeoutMs, traceparent: span.traceparent });
      span.end(outcomeOf(answer), span.isRecording ? { request_id: call.requestId, merchant_id: call.key.merchantId } : undefined);
      return answer;
    } catch (thrown) {
      span.end("fault", span.isRecording ? { request_id: call.requestId } : undefined);
      throw toMerchantFault(toAppError(thrown));
    }
  };
  return {
    ask(question) {
      const { name, call, processorMsOf } = question;
      return o.door.within({ name, merchantId: call.key.merchantId, processorMsOf }, () => askWithin(question));
    },
  };
}

const spanNames: Readonly<Record<WorkName, string>> = {
  createPayment: "edge.create_payment",
  authorizeNewPayment: "edge.create_payment",
  authorizePayment: "edge.authorize_payment",
  capturePayment: "edge.capture_payment",
  voidPayment: "edge.void_payment",
  refundPayment: "edge.refund_payment",
  getPayment: "edge.get_payment",
  listPayments: "edge.list_payments",
  listPaymentEvents: "edge.list_payment_events",
  getPaymentRouting: "edge.get_payment_routing",
  getToken: "edge.get_token",
  deleteToken: "edge.delete_token",
};

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
