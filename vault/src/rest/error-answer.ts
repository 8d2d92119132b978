/**
 * Every "no" of the vault's own origin: status from the catalogue, and the body `{"error":{"type","code","message","param"?,"request_id"}}`.
 *
 * Messages and params are words of ours; the cause of a fault never gets here, nor does anything that was sent.
 */
import { type AppError, type ErrorCode, errorCatalogue, invalid, toAppError } from "@florin/kernel";
import { limits } from "../domain/limits.ts";

export type ErrorAnswer = {
  readonly status: number;
  readonly body: string;
  /** Seconds; undefined when coming back makes no difference. */
  readonly retryAfterS: number | undefined;
};

const retryAfterSDefault = 1;

export function faultAnswer(fault: AppError, requestId: string): ErrorAnswer {
  const { code, param } = fault;
  const { http, type, help } = errorCatalogue[code];
  // A bug must not speak.
  const message = code === "internal" ? help : fault.message;
  const error = { type, code, message, ...(param === undefined ? {} : { param }), request_id: requestId };
  const mayComeBack = http === 503 || http === 429;
  const retryAfterS = fault.retryAfterMs === undefined ? retryAfterSDefault : Math.max(1, Math.ceil(fault.retryAfterMs / 1_000));
  return { status: http, body: JSON.stringify({ error }), retryAfterS: mayComeBack ? retryAfterS : undefined };
}

/** What Fastify and Node complain about, in our catalogue. */
const sentences: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["invalid_content_type", "the body must be application/json in UTF-8"],
  FST_ERR_CTP_EMPTY_TYPE: ["invalid_content_type", "the body must be application/json in UTF-8"],
  FST_ERR_CTP_BODY_TOO_LARGE: ["body_too_large", `the body must be at most ${limits.bodyBytesMax} bytes`],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["parameter_invalid", "the body is not as long as Content-Length says"],
  FST_ERR_BAD_URL: ["route_unknown", "there is no such path; cards go to POST /v1/tokens"],
  HPE_HEADER_OVERFLOW: ["header_too_large", `the headers must be at most ${limits.headerBytesMax} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: ["parameter_invalid", "the request was not received in time"],
};

export function toOriginFault(thrown: unknown): AppError {
  const fault = toAppError(thrown);
  if (fault === thrown) return fault;
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
  const known = sentences[code];
  if (known !== undefined) return invalid(known[0], known[1]);
  if (code.startsWith("HPE_")) return invalid("parameter_invalid", "the request is not valid HTTP");
  return fault;
}
