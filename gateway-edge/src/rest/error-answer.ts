/**
 * Every "no" of the REST API: status from the catalogue, the body of R29, and when to come back.
 *
 * `{"error":{"type","code","decline_code"?,"message","param"?,"request_id","payment"?}}`; what is absent is left out. The cause of a fault
 * never gets here. A field's name is repeated, and may be anything: what looks like a card number in it is masked.
 */
import type { OperationResult } from "@florin/gen/payments/v1/payments";
import { AppError, type ErrorCode, errorCatalogue, isErrorCode } from "@florin/kernel";
import { maskCardNumbers } from "@florin/runtime/telemetry";
import { paymentNotFound } from "../domain/payment-rules.ts";
import { text, writePayment } from "./payment-view.ts";

export type ErrorAnswer = {
  readonly status: number;
  readonly body: string;
  /** Seconds, whole; undefined when coming back sooner or later makes no difference. */
  readonly retryAfterS: number | undefined;
};

/** How long to wait when the fault does not say (s). */
const retryAfterSDefault = 1;

export function faultAnswer(fault: AppError, requestId: string): ErrorAnswer {
  const { http } = errorCatalogue[fault.code];
  const body = errorBody({ code: fault.code, message: fault.message, param: fault.param, requestId });
  return { status: http, body, retryAfterS: comingBack(http, fault.retryAfterMs) };
}

/** A business "no" of the switch: its code's status, with the payment when there is one (P9). */
export function refusalAnswer(result: OperationResult, requestId: string): ErrorAnswer {
  const { refusal, payment } = result;
  const code = refusal?.code ?? "";
  // A code of a newer switch: nobody here can say what it means for the merchant.
  if (refusal === undefined || !isErrorCode(code))
    return faultAnswer(new AppError("internal", "the switch refused with an unknown code", { work: "unknown" }), requestId);
  if (code === "payment_not_found") return faultAnswer(paymentNotFound(), requestId);
  const { message, param } = refusal;
  const body = errorBody({ code, message, param, requestId, declineCode: refusal.declineCode, payment });
  const { http } = errorCatalogue[code];
  return { status: http, body, retryAfterS: comingBack(http, result.retryAfterMs > 0 ? result.retryAfterMs : undefined) };
}

/** Who is sent away for want of a part or of room is always told when to come back; anybody else only when the switch says so. */
function comingBack(http: number, retryAfterMs: number | undefined): number | undefined {
  return http === 503 || http === 429 || retryAfterMs !== undefined ? retryAfterS(retryAfterMs) : undefined;
}

export function retryAfterS(retryAfterMs: number | undefined): number {
  return retryAfterMs === undefined ? retryAfterSDefault : Math.max(1, Math.ceil(retryAfterMs / 1_000));
}

type ErrorFacts = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly requestId: string;
  readonly param?: string | undefined;
  readonly declineCode?: string;
  readonly payment?: OperationResult["payment"];
};

/** These always say the same: a bug must not speak, and nothing may tell an unknown id from another merchant's. */
const fixedMessages: ReadonlySet<ErrorCode> = new Set(["internal", "payment_not_found"]);

function errorBody({ code, message, param, requestId, declineCode, payment }: ErrorFacts): string {
  const { type, help } = errorCatalogue[code];
  return (
    `{"error":{"type":"${type}","code":"${code}"` +
    (declineCode === undefined || declineCode === "" ? "" : `,"decline_code":${text(declineCode)}`) +
    `,"message":${text(message === "" || fixedMessages.has(code) ? help : maskCardNumbers(message, "answer"))}` +
    (param === undefined || param === "" ? "" : `,"param":${text(maskCardNumbers(param, "answer"))}`) +
    `,"request_id":"${requestId}"` +
    (payment === undefined ? "" : `,"payment":${writePayment(payment)}`) +
    "}}"
  );
}
