/**
 * From the bytes of a body to a value: UTF-8, strict JSON, or an AppError (not_done). Nothing is repaired, and nothing is unpacked: a small
 * body may hold a large one.
 */
import { isUtf8 } from "node:buffer";
import { invalid } from "@florin/kernel";
import { toJsonFault } from "../domain/json-fault.ts";
import { limits } from "../domain/limits.ts";
import { parseStrictJson } from "../domain/strict-json.ts";

export type BodyHeaders = { readonly "content-type"?: string | undefined; readonly "content-encoding"?: string | undefined };

/** Undefined for an empty body. The content type may name a charset only if it is UTF-8. */
export function readStrictBody(bytes: Buffer, headers: BodyHeaders): unknown {
  refuseEncoding(headers["content-encoding"]);
  const contentType = headers["content-type"];
  if (contentType !== undefined && contentType.length > "application/json".length && !isUtf8Type(contentType))
    throw invalid("invalid_content_type", "the body must be application/json in UTF-8");
  return bytes.length === 0 ? undefined : readStrictJson(bytes);
}

/** A value as JSON has it. Throws AppError (not_done): invalid_json, amount_invalid or parameter_invalid. */
export function readStrictJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw invalid("invalid_json", "the body is not valid UTF-8");
  const result = parseStrictJson(bytes.toString("utf8"), limits.jsonDepthMax);
  if (!result.ok) throw toJsonFault(result.fault);
  return result.value;
}

/** Throws AppError for a body that is packed (RFC 9110 §15.5.16), by whatever name. */
export function refuseEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding.toLowerCase() === "identity") return;
  throw invalid("invalid_content_type", "the body must not be compressed: send it without Content-Encoding");
}

function isUtf8Type(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}
