/**
 * A body or a query against its schema: nothing when it holds, otherwise the first problem as one code and the path of the field.
 *
 * The check is compiled once per schema; the list of problems is only made for input that fails.
 */
import { type AppError, invalid } from "@florin/kernel";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { isAmountPath } from "../domain/json-fault.ts";
import { amountSentence, problemOfMetadata, reasonSentence, timeSentence } from "../domain/payment-rules.ts";

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
    if (!validator.Check(value)) throw toFault(value, validator.Errors(value) as readonly Problem[], subject);
  };
}

/** Spelling mistakes come first: they are the usual cause of what seems to be missing. */
function toFault(value: unknown, problems: readonly Problem[], subject: string): AppError {
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
  if (isAmountPath(param)) return invalid("amount_invalid", amountSentence, param);
  if (param === "currency") return invalid("currency_unknown", "currency must be an active ISO 4217 code in capital letters", param);
  // A key may hold what separates a path, so the schema's path is not enough: the rule itself says which pair it is.
  const inMetadata = param === "metadata" || param.startsWith("metadata.") ? problemOfMetadata(metadataOf(value)) : undefined;
  if (inMetadata !== undefined) return inMetadata;
  return invalid("parameter_invalid", `${param} ${param === "reason" ? reasonSentence : sentenceOf(wrong)}`, param);
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

function metadataOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "metadata" in value ? value.metadata : undefined;
}

/** A pattern tells a person nothing; the OpenAPI document tells what is allowed. */
function sentenceOf(problem: Problem | undefined): string {
  if (problem === undefined || problem.keyword === "pattern") return "is not in the allowed form, or has control characters";
  if (problem.keyword === "enum") return `must be one of ${listOf(problem.params["allowedValues"]).join(", ")}`;
  if (problem.keyword === "const") return `must be ${String(problem.params["allowedValue"])}`;
  return problem.keyword === "format" ? timeSentence : problem.message;
}
