/**
 * The REST API as a table: every operation with its path, what goes in, what comes out and which codes it may answer with.
 *
 * Routes are registered from it and the OpenAPI document is made from it. A new operation does not compile until it has a handler.
 */
import type { ErrorCode } from "@florin/kernel";
import type { TSchema } from "typebox";
import {
  authorizeNewRequest,
  authorizeRequest,
  captureRequest,
  createPaymentRequest,
  listEventsQuery,
  listPaymentsQuery,
  refundRequest,
  voidRequest,
} from "./schemas.ts";

export type OperationId =
  | "createPayment"
  | "authorizeNewPayment"
  | "authorizePayment"
  | "capturePayment"
  | "voidPayment"
  | "refundPayment"
  | "getPayment"
  | "listPayments"
  | "listPaymentEvents"
  | "getPaymentRouting"
  | "getToken"
  | "deleteToken";

export type Operation = {
  readonly method: "GET" | "POST" | "DELETE";
  /** OpenAPI spelling: "/v1/payments/{id}". */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly body?: TSchema;
  /** True: an empty body is read as {}. */
  readonly isBodyOptional?: boolean;
  readonly query?: TSchema;
  /** Name of the schema of a "yes". */
  readonly answer: "Payment" | "PaymentPage" | "Timeline" | "Routing" | "Token" | "DeletedToken";
  /** Status of the first success (P1); a replay is 200. */
  readonly doneStatus: 200 | 201;
  /** Besides those of `commonCodes`, and of `mutationCodes` for a POST. */
  readonly codes: readonly ErrorCode[];
};

/** What any request with a key may be answered with. */
export const commonCodes = [
  "api_key_missing",
  "api_key_invalid",
  "rate_limited",
  "header_too_large",
  "parameter_unknown",
  "parameter_invalid",
  "overloaded",
  "unavailable",
  "deadline_exceeded",
  "peer_lost",
  "internal",
] as const satisfies readonly ErrorCode[];

/** What any mutation may be answered with. */
export const mutationCodes = [
  "invalid_json",
  "invalid_content_type",
  "body_too_large",
  "idempotency_key_missing",
  "idempotency_key_invalid",
  "idempotency_key_reuse",
  "card_number_not_allowed",
] as const satisfies readonly ErrorCode[];

const creating = [
  "parameter_missing",
  "amount_invalid",
  "currency_unknown",
  "reference_not_unique",
] as const satisfies readonly ErrorCode[];
const authorizing = [
  "parameter_missing",
  "token_not_found",
  "token_already_used",
  "token_expired",
  "token_deleted",
  "card_declined",
  "currency_not_supported",
  "payment_not_routable",
  "processor_unavailable",
] as const satisfies readonly ErrorCode[];
const changing = [
  "payment_not_found",
  "payment_state_invalid",
  "payment_busy",
  "operation_limit_reached",
] as const satisfies readonly ErrorCode[];

const authorizeDescription =
  "A decline is 402 with the payment in the error body; the payment is then `declined` and may be tried again. 202 means that the outcome is not known yet: ask again with the same key.";

export const api: Readonly<Record<OperationId, Operation>> = {
  createPayment: {
    method: "POST",
    path: "/v1/payments",
    summary: "Create a payment",
    description: `Makes a payment, and authorizes it in the same call when \`confirm\` is true. ${authorizeDescription}`,
    body: createPaymentRequest,
    answer: "Payment",
    doneStatus: 201,
    codes: [...creating, ...authorizing.filter((code) => code !== "parameter_missing")],
  },
  authorizeNewPayment: {
    method: "POST",
    path: "/v1/payments/authorize",
    summary: "Create and authorize a payment",
    description: `Makes a payment and asks the issuer to hold the amount. ${authorizeDescription}`,
    body: authorizeNewRequest,
    answer: "Payment",
    doneStatus: 201,
    codes: [...creating, ...authorizing.filter((code) => code !== "parameter_missing")],
  },
  authorizePayment: {
    method: "POST",
    path: "/v1/payments/{id}/authorize",
    summary: "Authorize a payment",
    description: `Tries to authorize a payment that is \`created\` or \`declined\`, with this or another payment method. ${authorizeDescription}`,
    body: authorizeRequest,
    answer: "Payment",
    doneStatus: 201,
    codes: [...authorizing, ...changing],
  },
  capturePayment: {
    method: "POST",
    path: "/v1/payments/{id}/capture",
    summary: "Capture a payment",
    description: "Takes all or a part of what is held. May be repeated until nothing remains.",
    body: captureRequest,
    isBodyOptional: true,
    answer: "Payment",
    doneStatus: 200,
    codes: ["amount_invalid", "amount_too_large", "capture_declined", "processor_unavailable", ...changing],
  },
  voidPayment: {
    method: "POST",
    path: "/v1/payments/{id}/void",
    summary: "Void a payment",
    description: "Releases what is held and not captured.",
    body: voidRequest,
    isBodyOptional: true,
    answer: "Payment",
    doneStatus: 200,
    codes: ["void_declined", "processor_unavailable", ...changing],
  },
  refundPayment: {
    method: "POST",
    path: "/v1/payments/{id}/refund",
    summary: "Refund a payment",
    description: "Gives back all or a part of what was captured. May be repeated until nothing is left.",
    body: refundRequest,
    answer: "Payment",
    doneStatus: 200,
    codes: ["parameter_missing", "amount_invalid", "amount_too_large", "refund_declined", "processor_unavailable", ...changing],
  },
  getPayment: {
    method: "GET",
    path: "/v1/payments/{id}",
    summary: "Get a payment",
    description: "The payment as it stands now.",
    answer: "Payment",
    doneStatus: 200,
    codes: ["payment_not_found"],
  },
  listPayments: {
    method: "GET",
    path: "/v1/payments",
    summary: "List payments",
    description: "Newest first. A page may be shorter than the limit although more exist: go by has_more.",
    query: listPaymentsQuery,
    answer: "PaymentPage",
    doneStatus: 200,
    codes: ["cursor_invalid", "card_number_not_allowed"],
  },
  listPaymentEvents: {
    method: "GET",
    path: "/v1/payments/{id}/events",
    summary: "List the events of a payment",
    description: "The audit timeline, oldest first: who, what, when, before, after.",
    query: listEventsQuery,
    answer: "Timeline",
    doneStatus: 200,
    codes: ["payment_not_found"],
  },
  getPaymentRouting: {
    method: "GET",
    path: "/v1/payments/{id}/routing",
    summary: "Get how a payment found its processor",
    description:
      "Every decision that was made for it, with all processors that were looked at and the reasons of each, and what became of each attempt. Empty for a payment that was never sent.",
    answer: "Routing",
    doneStatus: 200,
    codes: ["payment_not_found"],
  },
  getToken: {
    method: "GET",
    path: "/v1/tokens/{id}",
    summary: "Get a token",
    description: "What may be told about a card: never its number. Tokens are made by the payer's browser, at the vault.",
    answer: "Token",
    doneStatus: 200,
    codes: ["token_not_found", "token_expired", "token_deleted"],
  },
  deleteToken: {
    method: "DELETE",
    path: "/v1/tokens/{id}",
    summary: "Delete a token",
    description:
      "Deletes the card behind it, and the key that alone opens it. There is no way back; payments made with it stay as they are. Safe to repeat: a token that is deleted or has expired is answered alike.",
    answer: "DeletedToken",
    doneStatus: 200,
    codes: ["token_not_found"],
  },
};

export const operationIds = Object.keys(api) as readonly OperationId[];

/** Every code that an operation may answer with. */
export function codesOf(operation: Operation): readonly ErrorCode[] {
  return [...new Set([...commonCodes, ...(operation.method === "POST" ? mutationCodes : []), ...operation.codes])];
}
