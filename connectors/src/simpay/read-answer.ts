/**
 * From the bytes of simpay's answer to an outcome. Pure.
 *
 * An answer counts only when it names our reference, the kind of operation and, where we sent one, our amount and currency. On a
 * connection that is out of step an answer may be another request's; taking it would be worse than having none.
 */
import { notSent, type Outcome, type ProcessorWords, type QueryAnswer, unknown } from "../contract/outcome.ts";
import type { OperationKind } from "../contract/question.ts";
import type { Refused } from "../http1/link.ts";
import { type Meaning, meaningOfError, meaningOfOperation, meaningOfRefusal } from "./response-table.ts";

export type Expected = {
  readonly reference: string;
  readonly operation: OperationKind | "reversal";
  /** Undefined where we sent none. */
  readonly amount: bigint | undefined;
  readonly currency: string | undefined;
};

/** What is used of an operation; every field is looked at before it is believed. */
type OperationFields = { readonly [Name in keyof typeof fieldTypes]: unknown };
const fieldTypes = {
  id: "string",
  reference: "string",
  operation: "string",
  status: "string",
  response_code: "string",
  auth_code: "string",
  avs: "string",
  cvv: "string",
  amount: "number",
  currency: "string",
} as const;

type Wire = {
  readonly id: string;
  readonly reference: string;
  readonly operation: string;
  readonly status: string;
  readonly response_code: string;
  readonly auth_code: string;
  readonly avs: string;
  readonly cvv: string;
  readonly amount: number;
  readonly currency: string;
};

/** Longest processor id, code or word that is passed on. */
const wordLengthMax = 64;
const avsWords: ReadonlySet<string> = new Set(["match", "mismatch", "partial", "unavailable", ""]);
const cvvWords: ReadonlySet<string> = new Set(["match", "mismatch", "unavailable", ""]);

/** The outcome of an operation that was just asked for. */
export function readOutcome(httpStatus: number, body: Buffer, expected: Expected): Outcome | Refused {
  const parsed = parse(body);
  if (parsed === undefined) return httpStatus >= 500 ? unknown("processor_fault") : "garbage";
  const error = errorCodeOf(parsed);
  if (error !== undefined) return toOutcome(meaningOfRefusal(httpStatus, error, expected.operation), { ...noWords, responseCode: error });
  if (httpStatus !== 200 && httpStatus !== 201) return unknown(httpStatus >= 500 ? "processor_fault" : "unmapped_response");
  return readOperation(parsed, expected);
}

/** What a query found. Only simpay's own documented word for "no such operation" is `not_found`. */
export function readQueryAnswer(httpStatus: number, body: Buffer, expected: Expected): QueryAnswer | Refused {
  const parsed = parse(body);
  if (parsed === undefined) return httpStatus >= 500 ? { kind: "found", outcome: unknown("processor_fault") } : "garbage";
  const error = errorCodeOf(parsed);
  if (httpStatus === 404 && error === "operation_not_found") return { kind: "not_found" };
  if (error !== undefined) {
    const meaning = meaningOfError(httpStatus, error);
    // A refusal of the question says nothing about the operation.
    return { kind: "found", outcome: unknown(meaning.kind === "unknown" ? meaning.cause : "not_reached") };
  }
  if (httpStatus !== 200) return { kind: "found", outcome: unknown("unmapped_response") };
  const outcome = readOperation(parsed, expected);
  return typeof outcome === "string" ? outcome : { kind: "found", outcome };
}

function parse(body: Buffer): object | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function errorCodeOf(parsed: object): string | undefined {
  if (!("error" in parsed) || typeof parsed.error !== "object" || parsed.error === null || !("code" in parsed.error)) return undefined;
  const { code } = parsed.error;
  return typeof code === "string" && code.length <= wordLengthMax ? code : "";
}

function readOperation(parsed: object, expected: Expected): Outcome | Refused {
  if (!isOperation(parsed)) return "garbage";
  if (parsed.reference !== expected.reference) return "answer_mismatch";
  if (parsed.operation !== expected.operation) return "answer_mismatch";
  if (expected.amount !== undefined && BigInt(parsed.amount) !== expected.amount) return "answer_mismatch";
  if (expected.currency !== undefined && parsed.currency !== expected.currency) return "answer_mismatch";
  const words: ProcessorWords = {
    processorReference: parsed.id,
    responseCode: parsed.response_code,
    authCode: parsed.auth_code,
    avs: avsWords.has(parsed.avs) ? parsed.avs : "",
    cvv: cvvWords.has(parsed.cvv) ? parsed.cvv : "",
  };
  return toOutcome(meaningOfOperation(parsed.status, parsed.response_code, expected.operation), words);
}

function isOperation(parsed: object): parsed is Wire {
  const fields = parsed as OperationFields;
  for (const name in fieldTypes) {
    const value = fields[name as keyof typeof fieldTypes];
    if (typeof value === "string") {
      if (fieldTypes[name as keyof typeof fieldTypes] !== "string" || value.length > wordLengthMax) return false;
    } else if (fieldTypes[name as keyof typeof fieldTypes] !== "number" || !Number.isSafeInteger(value)) return false;
  }
  return true;
}

const noWords: ProcessorWords = { processorReference: "", responseCode: "", authCode: "", avs: "", cvv: "" };

function toOutcome(meaning: Meaning, words: ProcessorWords): Outcome {
  if (meaning.kind === "approved") return { kind: "approved", words, isFinal: meaning.isFinal };
  if (meaning.kind === "declined") return { kind: "declined", words, reason: meaning.reason };
  if (meaning.kind === "not_sent") return notSent(meaning.cause);
  return { kind: "unknown", cause: meaning.cause, words };
}
