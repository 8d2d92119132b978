/** What strict JSON refuses, in the words of the catalogue: one code and the path of the field, never its value. */
import { type AppError, invalid } from "@florin/kernel";
import { amountSentence } from "./payment-rules.ts";
import type { JsonFault } from "./strict-json.ts";

const sentences: Record<Exclude<JsonFault["kind"], "number_not_integer">, string> = {
  malformed: "the body is not valid JSON",
  too_deep: "the body is nested too deep",
  duplicate_key: "a key occurs twice in one object",
  forbidden_key: "this key is not allowed",
  lone_surrogate: "a string holds half a surrogate pair",
};

/** The code is that of the field where the spelling of a number is at fault. Nothing was done. */
export function toJsonFault({ kind, path }: JsonFault): AppError {
  const param = path === "" ? undefined : path;
  if (kind !== "number_not_integer") return invalid("invalid_json", sentences[kind], param);
  if (isAmountPath(path)) return invalid("amount_invalid", amountSentence, param);
  return invalid("parameter_invalid", "numbers must be written as plain integers", param);
}

export function isAmountPath(path: string): boolean {
  return path === "amount" || path.endsWith(".amount");
}
