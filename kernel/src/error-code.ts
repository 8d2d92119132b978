/**
 * The one catalogue of error codes, shared by REST and gRPC. docs/error-codes.md is generated from it.
 *
 * A code is for ever: merchants branch on it. `type` is the coarse class of R29's error body.
 */

export type ErrorType =
  | "invalid_request"
  | "authentication"
  | "card_error"
  | "idempotency"
  | "conflict"
  | "not_found"
  | "rate_limit"
  | "unavailable"
  | "internal";

/** gRPC status names, as in google.rpc.Code. */
export type GrpcStatus =
  | "INVALID_ARGUMENT"
  | "UNAUTHENTICATED"
  | "PERMISSION_DENIED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "RESOURCE_EXHAUSTED"
  | "UNAVAILABLE"
  | "DEADLINE_EXCEEDED"
  | "CANCELLED"
  | "INTERNAL";

export type ErrorCodeEntry = {
  readonly type: ErrorType;
  /** HTTP status of the REST answer. */
  readonly http: number;
  readonly grpc: GrpcStatus;
  /** What happened, and what the caller should do. */
  readonly help: string;
};

const entry = (type: ErrorType, http: number, grpc: GrpcStatus, help: string): ErrorCodeEntry => ({ type, http, grpc, help });

export const errorCatalogue = {
  // The request itself.
  invalid_json: entry(
    "invalid_request",
    400,
    "INVALID_ARGUMENT",
    "The body is not strict JSON (duplicate keys, trailing text, too deep). Mend the body.",
  ),
  invalid_content_type: entry("invalid_request", 415, "INVALID_ARGUMENT", "Send the body as application/json."),
  body_too_large: entry("invalid_request", 413, "INVALID_ARGUMENT", "The body is larger than the limit. Send less."),
  header_too_large: entry("invalid_request", 431, "INVALID_ARGUMENT", "The headers are larger than the limit. Send less."),
  parameter_missing: entry("invalid_request", 400, "INVALID_ARGUMENT", "A required field is missing; `param` names it."),
  parameter_unknown: entry("invalid_request", 400, "INVALID_ARGUMENT", "A field is not known; `param` names it. Check its spelling."),
  parameter_invalid: entry("invalid_request", 400, "INVALID_ARGUMENT", "A field has a wrong type or value; `param` names it."),
  card_number_not_allowed: entry(
    "invalid_request",
    400,
    "INVALID_ARGUMENT",
    "A text holds what looks like a card number; `param` names it. Nothing was kept. Card numbers go to the vault only; send the token. An order number of yours that looks like one: put letters among its digits.",
  ),
  amount_invalid: entry(
    "invalid_request",
    400,
    "INVALID_ARGUMENT",
    "An amount is an integer number of minor units from 1 to 999,999,999,999, written without point or exponent.",
  ),
  currency_unknown: entry("invalid_request", 400, "INVALID_ARGUMENT", "The currency is not an active ISO 4217 code in capital letters."),
  cursor_invalid: entry("invalid_request", 400, "INVALID_ARGUMENT", "The cursor was not made by this list. Start again without it."),
  route_unknown: entry("not_found", 404, "NOT_FOUND", "There is no such path. See /openapi.json."),
  method_not_allowed: entry("invalid_request", 405, "INVALID_ARGUMENT", "The path exists, the method does not. See /openapi.json."),

  // Who asks.
  api_key_missing: entry("authentication", 401, "UNAUTHENTICATED", "Send `Authorization: Bearer sk_…`."),
  api_key_invalid: entry("authentication", 401, "UNAUTHENTICATED", "The API key is unknown, revoked or of the wrong kind."),
  caller_not_allowed: entry("authentication", 403, "PERMISSION_DENIED", "The certificate's identity may not call this operation."),
  rate_limited: entry("rate_limit", 429, "RESOURCE_EXHAUSTED", "Too many requests with this key. Wait for Retry-After."),

  // Idempotency.
  idempotency_key_missing: entry(
    "idempotency",
    400,
    "INVALID_ARGUMENT",
    "Mutations need an Idempotency-Key header of 1 to 255 printable ASCII characters.",
  ),
  idempotency_key_invalid: entry(
    "idempotency",
    400,
    "INVALID_ARGUMENT",
    "The Idempotency-Key is longer than 255 characters or not printable ASCII.",
  ),
  idempotency_key_reuse: entry(
    "idempotency",
    422,
    "FAILED_PRECONDITION",
    "This key was used with other parameters. Use a new key for a new intent.",
  ),

  // The payment.
  payment_not_found: entry("not_found", 404, "NOT_FOUND", "There is no such payment for this key."),
  token_not_found: entry("not_found", 404, "NOT_FOUND", "There is no such payment method token for this merchant and mode."),
  token_already_used: entry(
    "conflict",
    409,
    "FAILED_PRECONDITION",
    "The token is for one payment, and another payment has it. Nothing was sent; have the card entered again, or ask for reusable tokens.",
  ),
  token_expired: entry("not_found", 410, "NOT_FOUND", "The token has expired and its card is deleted. Have the card entered again."),
  token_deleted: entry("not_found", 410, "NOT_FOUND", "The token was deleted, and its card with it. Have the card entered again."),
  payment_state_invalid: entry(
    "conflict",
    409,
    "FAILED_PRECONDITION",
    "The payment's status does not allow this operation; the message says which status it has.",
  ),
  payment_busy: entry(
    "conflict",
    409,
    "ABORTED",
    "Another operation on this payment is still under way. Ask again shortly with the same key.",
  ),
  amount_too_large: entry(
    "invalid_request",
    400,
    "FAILED_PRECONDITION",
    "The amount exceeds what remains; the message says how much that is.",
  ),
  operation_limit_reached: entry("conflict", 409, "FAILED_PRECONDITION", "A payment can have at most 100 captures and 100 refunds."),
  reference_not_unique: entry(
    "conflict",
    409,
    "ALREADY_EXISTS",
    "The merchant reference was used before and unique_reference was asked for.",
  ),
  payment_not_routable: entry(
    "conflict",
    409,
    "FAILED_PRECONDITION",
    "No processor of this house takes this payment; the message says why for each. Another card, currency or amount may be taken.",
  ),
  currency_not_supported: entry("invalid_request", 400, "FAILED_PRECONDITION", "No processor takes this currency."),
  card_declined: entry(
    "card_error",
    402,
    "FAILED_PRECONDITION",
    "The issuer, the processor or a fraud rule said no. `decline_code` says whether another try may help.",
  ),
  capture_declined: entry("card_error", 402, "FAILED_PRECONDITION", "The processor refused the capture. The hold is as it was."),
  void_declined: entry("card_error", 402, "FAILED_PRECONDITION", "The processor refused to release the hold. The hold is as it was."),
  refund_declined: entry("card_error", 402, "FAILED_PRECONDITION", "The processor refused the refund. The captured amount is as it was."),

  // The vault's own origin.
  card_number_invalid: entry("card_error", 400, "INVALID_ARGUMENT", "The card number is not a valid number."),
  card_expiry_invalid: entry("card_error", 400, "INVALID_ARGUMENT", "The expiry date is not valid or has passed."),
  card_cvc_invalid: entry("card_error", 400, "INVALID_ARGUMENT", "The security code has the wrong length."),
  live_card_in_test_mode: entry("card_error", 400, "INVALID_ARGUMENT", "Test mode takes test cards only."),
  card_envelope_refused: entry(
    "invalid_request",
    400,
    "INVALID_ARGUMENT",
    "The encrypted card is too old, was used before, is not meant for this key and page, or is damaged. Encrypt the card again with a fresh key.",
  ),

  // Our own house.
  overloaded: entry("unavailable", 503, "RESOURCE_EXHAUSTED", "Too much is in flight. Nothing was done; wait for Retry-After."),
  unavailable: entry("unavailable", 503, "UNAVAILABLE", "A part that this call needs is away. Ask again with the same key."),
  deadline_exceeded: entry(
    "unavailable",
    503,
    "DEADLINE_EXCEEDED",
    "No answer in time; the outcome is unknown. Ask again with the same key.",
  ),
  peer_lost: entry(
    "unavailable",
    503,
    "UNAVAILABLE",
    "The connection between two of our processes broke; the outcome is unknown. Ask again with the same key.",
  ),
  processor_unavailable: entry(
    "unavailable",
    503,
    "UNAVAILABLE",
    "The processor could not be reached and nothing was sent. Ask again with a new key.",
  ),
  cancelled: entry("unavailable", 499, "CANCELLED", "The caller gave up."),
  internal: entry("internal", 500, "INTERNAL", "A bug on our side. The request id helps us find it; ask again with the same key."),
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

export const errorCodes = Object.keys(errorCatalogue) as readonly ErrorCode[];

export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(errorCatalogue, value);
}
