/** From the bytes of a body to a value: UTF-8, strict JSON, or an AppError (not_done). Nothing is repaired. */
import { isUtf8 } from "node:buffer";
import { invalid } from "@florin/kernel";
import { limits } from "../domain/limits.ts";
import { toJsonFault } from "./check-input.ts";
import { parseStrictJson } from "./strict-json.ts";

/** Undefined for an empty body. `contentType` may name a charset only if it is UTF-8. */
export function readStrictBody(bytes: Buffer, contentType: string | undefined): unknown {
  if (contentType !== undefined && contentType.length > "application/json".length && !isUtf8Type(contentType))
    throw invalid("invalid_content_type", "the body must be application/json in UTF-8");
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw invalid("invalid_json", "the body is not valid UTF-8");
  const result = parseStrictJson(bytes.toString("utf8"), limits.jsonDepthMax);
  if (!result.ok) throw toJsonFault(result.fault);
  return result.value;
}

function isUtf8Type(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}
