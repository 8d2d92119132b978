/**
 * A question of a merchant's on its way to the switch: a span, a time limit, the call, and its fault in words that are the merchant's business.
 *
 * Nothing is decided, repeated or cancelled here. A caller that hangs up changes nothing: its key names the intent, and the outcome waits in
 * the log for the repetition.
 */
import { AppError, type ErrorCode, toAppError } from "@florin/kernel";
import type { CallOptions } from "@florin/runtime/rpc";
import type { SpanOutcome, Tracer } from "@florin/runtime/telemetry";
import type { CallIdentity } from "../clients/payment-switch.ts";

/** A call of a merchant. `traceparent` as its request carried it, unchecked. */
export type MerchantCall = CallIdentity & { readonly traceparent: string | undefined };

export interface Asking {
  ask<T>(
    name: string,
    call: MerchantCall,
    timeoutMs: number,
    send: (options: CallOptions) => Promise<T>,
    outcomeOf?: (answer: T) => SpanOutcome,
  ): Promise<T>;
  /** Calls to the switch without an answer. */
  readonly inFlight: number;
}

export function createAsking(tracer: Tracer): Asking {
  let inFlight = 0;
  return {
    async ask(name, call, timeoutMs, send, outcomeOf = answered) {
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
    },
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
