/**
 * A body or a query against its schema: nothing when it holds, otherwise the first problem as one code and the path of the field.
 *
 * The check is compiled once per schema; the list of problems is only made for input that fails.
 */
import { type AppError, type ErrorCode, invalid } from "@florin/kernel";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { amountSentence } from "../domain/payment-rules.ts";
import type { JsonFault } from "./strict-json.ts";

type Problem = {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message: string;
};

/** Throws AppError (not_done) for a value that the schema refuses. */
export type InputCheck = (value: unknown) => void;

/** `subject`: "body" or "query", for a problem that no field has. */
export function compileCheck(schema: TSchema, subject: "body" | "query"): InputCheck {
  const validator = Compile(schema);
  return (value) => {
    if (!validator.Check(value)) throw toFault(validator.Errors(value) as readonly Problem[], subject);
  };
}

/** Spelling mistakes come first: they are the usual cause of what seems to be missing. */
function toFault(problems: readonly Problem[], subject: string): AppError {
  const unknown = problems.find((problem) => problem.keyword === "additionalProperties" && problem.instancePath !== "/metadata");
  const unknownField = listOf(unknown?.params["additionalProperties"])[0];
  if (unknown !== undefined && unknownField !== undefined) {
    const param = join(fieldOf(unknown), unknownField);
    return invalid("parameter_unknown", `${param} is not a known field`, param);
  }
  const missing = problems.find((problem) => problem.keyword === "required");
  const missingField = listOf(missing?.params["requiredProperties"])[0];
  if (missing !== undefined && missingField !== undefined) {
    const param = join(fieldOf(missing), missingField);
    return invalid("parameter_missing", `${param} is required`, param);
  }
  const wrong = problems[0];
  const param = wrong === undefined ? "" : fieldOf(wrong);
  if (param === "") return invalid("parameter_invalid", `the ${subject} ${wrong?.message ?? "is not valid"}`);
  if (isAmount(param)) return invalid("amount_invalid", amountSentence, param);
  if (param === "currency") return invalid("currency_unknown", "currency must be an active ISO 4217 code in capital letters", param);
  if (param === "metadata" || param.startsWith("metadata."))
    return invalid(
      "parameter_invalid",
      "metadata must be at most 50 pairs of text: keys of 1 to 40 characters, values of at most 500",
      "metadata",
    );
  return invalid("parameter_invalid", `${param} ${sentenceOf(wrong)}`, param);
}

/** What strict JSON refuses, with the code of the field where the spelling of a number is at fault. */
export function toJsonFault(fault: JsonFault): AppError {
  const { kind, path } = fault;
  const param = path === "" ? undefined : path;
  if (kind === "number_not_integer") {
    const code: ErrorCode = isAmount(path) ? "amount_invalid" : "parameter_invalid";
    return invalid(code, isAmount(path) ? amountSentence : "numbers must be written as plain integers", param);
  }
  return invalid("invalid_json", jsonSentences[kind], param);
}

const jsonSentences: Record<Exclude<JsonFault["kind"], "number_not_integer">, string> = {
  malformed: "the body is not valid JSON",
  too_deep: "the body is nested too deep",
  duplicate_key: "a key occurs twice in one object",
  forbidden_key: "this key is not allowed",
  lone_surrogate: "a string holds half a surrogate pair",
};

function isAmount(path: string): boolean {
  return path === "amount" || path.endsWith(".amount");
}

/** "/payment_method/token" → "payment_method.token" (RFC 6901 escapes undone). */
function fieldOf(problem: Problem): string {
  return problem.instancePath.slice(1).replaceAll("/", ".").replaceAll("~1", "/").replaceAll("~0", "~");
}

function join(parent: string, field: string): string {
  return parent === "" ? field : `${parent}.${field}`;
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

/** A pattern tells a person nothing; the OpenAPI document tells what is allowed. */
function sentenceOf(problem: Problem | undefined): string {
  return problem === undefined || problem.keyword === "pattern" ? "is not in the allowed form" : problem.message;
}
