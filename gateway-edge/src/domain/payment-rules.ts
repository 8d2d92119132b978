/**
 * What every request must hold before it may leave the edge, whichever way it came in.
 *
 * REST checks the same bounds by its schemas (they also make the OpenAPI document) and Connect by these functions; a test runs both over the
 * same values. Requests are seen as structures, so nothing generated is needed here.
 */
import { type AppError, type ErrorCode, errorCatalogue, invalid, isCurrency, isId } from "@florin/kernel";
import { problemOfCardNumber } from "./card-data-rule.ts";
import { limits } from "./limits.ts";

const token = /^tok_[0-9a-z_]{1,64}$/;
const printable = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
const cursorCharacters = /^[\x21-\x7e]*$/;
const ipCharacters = /^[0-9a-fA-F.:]{2,45}$/;

type PaymentMethodRequest = { readonly type: string; readonly token: string };
type ListRequest = {
  readonly limit: number;
  readonly merchantReference: string;
  readonly createdFromMs: bigint;
  readonly createdToMs: bigint;
  readonly cursor: string;
};
type CreateRequest = {
  readonly amount: bigint;
  readonly currency: string;
  readonly merchantReference: string;
  readonly uniqueReference: boolean;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly paymentMethod?: PaymentMethodRequest | undefined;
  readonly confirm: boolean;
  readonly customerIp: string;
};

/** Undefined when the key is fine. `field` names it for the error: the header, or the message's field. */
export function problemOfIdempotencyKey(key: string | undefined, field: string): AppError | undefined {
  if (key === undefined || key === "") return invalid("idempotency_key_missing", `${field} is required on every mutation`, field);
  if (key.length <= limits.idempotencyKeyLengthMax && printable.test(key)) return problemOfCardNumber(key, field);
  return invalid("idempotency_key_invalid", `${field} must be 1 to 255 printable ASCII characters`, field);
}

export function problemOfCreate(request: CreateRequest): AppError | undefined {
  return (
    problemOfAmount(request.amount) ??
    problemOfCurrency(request.currency) ??
    problemOfText(request.merchantReference, "merchant_reference", limits.merchantReferenceLengthMax) ??
    problemOfUniqueReference(request) ??
    problemOfText(request.description, "description", limits.descriptionLengthMax) ??
    problemOfMetadata(request.metadata) ??
    (request.confirm && request.paymentMethod === undefined
      ? invalid("parameter_missing", "payment_method is required when confirm is true", "payment_method")
      : undefined) ??
    (request.paymentMethod === undefined ? undefined : problemOfPaymentMethod(request.paymentMethod)) ??
    problemOfCustomerIp(request.customerIp)
  );
}

export function problemOfUniqueReference(request: Pick<CreateRequest, "merchantReference" | "uniqueReference">): AppError | undefined {
  if (!request.uniqueReference || request.merchantReference !== "") return undefined;
  return invalid("parameter_missing", "merchant_reference is required when unique_reference is true", "merchant_reference");
}

export function problemOfAmount(amount: bigint | undefined): AppError | undefined {
  if (amount === undefined || (amount >= limits.amountMinorMin && amount <= limits.amountMinorMax)) return undefined;
  return invalid("amount_invalid", amountSentence, "amount");
}

/** Of a parameter that is a time. The plus sign is what everybody forgets: in a query it means a space. */
export const timeSentence = 'must be an RFC 3339 time, for example 2026-11-21T00:00:00Z (in a URL, write "+" as %2B)';

export const amountSentence = "amount must be an integer number of minor units from 1 to 999,999,999,999";

export function problemOfCurrency(currency: string): AppError | undefined {
  return isCurrency(currency)
    ? undefined
    : invalid("currency_unknown", "currency must be an active ISO 4217 code in capital letters", "currency");
}

export function problemOfPaymentMethod(method: PaymentMethodRequest | undefined): AppError | undefined {
  if (method === undefined) return invalid("parameter_missing", "payment_method is required", "payment_method");
  if (method.type !== "card") return invalid("parameter_invalid", 'payment_method.type must be "card"', "payment_method.type");
  return token.test(method.token)
    ? undefined
    : invalid("parameter_invalid", "payment_method.token must be a token of the vault", "payment_method.token");
}

export function problemOfReason(reason: string): AppError | undefined {
  if (reason === "") return invalid("parameter_missing", "reason is required: it is the evidence in a dispute", "reason");
  if (reason.trim() !== "" && problemOfText(reason, "reason", limits.reasonLengthMax) === undefined) return undefined;
  return invalid("parameter_invalid", `reason ${reasonSentence}`, "reason");
}

export const reasonSentence = `must say something, in at most ${limits.reasonLengthMax} characters without control characters`;

export function problemOfCustomerIp(address: string): AppError | undefined {
  return address === "" || isIpAddress(address)
    ? undefined
    : invalid("parameter_invalid", "customer_ip must be an IPv4 or IPv6 address", "customer_ip");
}

/** 0 is the default size. */
export function problemOfPage(limit: number): AppError | undefined {
  if (limit <= limits.pageSizeMax) return undefined;
  return invalid("parameter_invalid", `limit must be from 1 to ${limits.pageSizeMax}`, "limit");
}

/** Filters that are empty or 0 are not there. */
export function problemOfList(request: ListRequest): AppError | undefined {
  return (
    problemOfPage(request.limit) ??
    problemOfText(request.merchantReference, "merchant_reference", limits.merchantReferenceLengthMax) ??
    problemOfTime(request.createdFromMs, "created_from_ms") ??
    problemOfTime(request.createdToMs, "created_to_ms") ??
    problemOfCursor(request.cursor)
  );
}

/** Whether this list made it is for the switch to say. */
function problemOfCursor(cursor: string): AppError | undefined {
  if (cursor.length <= limits.cursorLengthMax && cursorCharacters.test(cursor)) return undefined;
  return invalid("parameter_invalid", "cursor is not in the allowed form", "cursor");
}

function problemOfTime(timeMs: bigint, param: string): AppError | undefined {
  if (timeMs >= 0 && timeMs <= limits.timeMsMax) return undefined;
  return invalid("parameter_invalid", `${param} must be Unix milliseconds of the years 1970 to 9999`, param);
}

/** A malformed id is answered like an unknown one: nobody learns what an id looks like, or whose it is. */
export function problemOfPaymentId(id: string): AppError | undefined {
  return isId("payment", id) ? undefined : paymentNotFound();
}

export function paymentNotFound(): AppError {
  return invalid("payment_not_found", "There is no such payment for this key.");
}

export function problemOfToken(id: string): AppError | undefined {
  return token.test(id) ? undefined : tokenIsNoMore("token_not_found");
}

/** The same words for a token that never was and for another merchant's. `code`: what the switch says. */
export function tokenIsNoMore(code: string): AppError {
  const known = code === "token_expired" || code === "token_deleted" ? code : "token_not_found";
  return invalid(known, errorCatalogue[known].help);
}

function problemOfText(text: string, param: string, lengthMax: number, code: ErrorCode = "parameter_invalid"): AppError | undefined {
  if (!hasLengthOver(text, lengthMax) && !hasControls(text) && text.isWellFormed()) return undefined;
  return invalid(code, `${param} must be at most ${lengthMax.toLocaleString("en")} characters without control characters`, param);
}

/** A value at fault is named by its key. A key at fault is not repeated: it may be anything, of any length. */
export function problemOfMetadata(metadata: unknown): AppError | undefined {
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata))
    return invalid("parameter_invalid", "metadata must be an object of text", "metadata");
  const pairs = Object.entries(metadata);
  if (pairs.length > limits.metadataPairsMax)
    return invalid("parameter_invalid", `metadata must have at most ${limits.metadataPairsMax} pairs`, "metadata");
  for (const [key, value] of pairs) {
    if (key === "" || key === "__proto__" || problemOfText(key, "metadata", limits.metadataKeyLengthMax) !== undefined)
      return invalid("parameter_invalid", metadataKeySentence, "metadata");
    const param = `metadata.${key}`;
    if (typeof value !== "string") return invalid("parameter_invalid", `${param} must be text`, param);
    const problem = problemOfText(value, param, limits.metadataValueLengthMax);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const metadataKeySentence = `metadata keys must be 1 to ${limits.metadataKeyLengthMax} characters without control characters`;

/** C0 and DEL: they forge log lines, and PostgreSQL cannot keep a NUL. */
function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/** Code points, counted only when the cheap bounds do not decide. */
function hasLengthOver(text: string, lengthMax: number): boolean {
  if (text.length <= lengthMax) return false;
  return text.length > lengthMax * 2 || [...text].length > lengthMax;
}

/** Strict enough to be an address and nothing else: four decimals, or up to eight hex groups with at most one gap. */
function isIpAddress(address: string): boolean {
  if (!ipCharacters.test(address)) return false;
  if (!address.includes(":")) return isIpv4(address);
  const gap = address.split("::");
  if (gap.length > 2) return false;
  const groups = gap.flatMap((side) => (side === "" ? [] : side.split(":")));
  const last = groups.at(-1) ?? "";
  const isMixed = last.includes(".");
  if (isMixed && !isIpv4(last)) return false;
  const hex = isMixed ? groups.slice(0, -1) : groups;
  const size = hex.length + (isMixed ? 2 : 0);
  return hex.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) && (gap.length === 2 ? size <= 7 : size === 8);
}

function isIpv4(address: string): boolean {
  const parts = address.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
}
