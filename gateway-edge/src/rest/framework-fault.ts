/**
 * What Fastify and Node complain about, in our catalogue: one table, so that no answer leaves with another body.
 *
 * Anything that is not in the table and not an AppError is a bug of ours.
 */
import { AppError, type ErrorCode, invalid, toAppError } from "@florin/kernel";
import { limits } from "../domain/limits.ts";

const sentences: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["invalid_content_type", "the body must be application/json in UTF-8"],
  FST_ERR_CTP_EMPTY_TYPE: ["invalid_content_type", "the body must be application/json in UTF-8"],
  FST_ERR_CTP_BODY_TOO_LARGE: ["body_too_large", `the body must be at most ${limits.bodyBytesMax} bytes`],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["parameter_invalid", "the body is not as long as Content-Length says"],
  FST_ERR_BAD_URL: ["route_unknown", "There is no such path. See /openapi.json."],
  HPE_HEADER_OVERFLOW: ["header_too_large", `the headers must be at most ${limits.headerBytesMax} bytes`],
  // The merchant hung up before its body was whole, or Node closed the connection because of what came in: no fault of ours.
  ECONNRESET: ["parameter_invalid", "the request broke off before its end"],
  ERR_HTTP_REQUEST_TIMEOUT: ["parameter_invalid", "the request was not received in time"],
};

export function toEdgeFault(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
  const known = sentences[code];
  if (known !== undefined) return invalid(known[0], known[1]);
  // The rest of Node's parser: not HTTP at all.
  if (code.startsWith("HPE_")) return invalid("parameter_invalid", "the request is not valid HTTP");
  return toAppError(thrown);
}
