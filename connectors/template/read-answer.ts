/**
 * From the bytes of acme's answer to an outcome. Pure.
 *
 * An answer counts only when it names our reference and, where we sent one, our amount and currency. On a connection that is out of step an answer
 * may be another request's; taking it would be worse than having none.
 */
import { notSent, type Outcome, type ProcessorWords, type QueryAnswer, unknown } from "../src/contract/outcome.ts";
import type { OperationKind } from "../src/contract/question.ts";
import type { Refused } from "../src/http1/link.ts";
import { type Meaning, meaningOfAnswer, meaningOfRefusal } from "./response-table.ts";

export type Expected = {
  readonly reference: string;
  readonly kind: OperationKind | "reversal";
  /** Minor units; undefined where we sent none. */
  readonly amount: bigint | undefined;
  readonly currency: string | undefined;
};

/** Fill in: what is used of an answer, by acme's names. Every field is looked at before it is believed. */
const wordNames = ["id", "reference", "status", "code", "approval", "amount", "currency"] as const;
type Words = { readonly [Name in (typeof wordNames)[number]]: string };

/** Longest id, code or word that is passed on. */
const wordLengthMax = 64;
const noWords: ProcessorWords = { processorReference: "", responseCode: "", authCode: "", avs: "", cvv: "" };

/** The outcome of an operation that was just asked for. */
export function readOutcome(httpStatus: number, body: Buffer, expected: Expected): Outcome | Refused {
  const parsed = parse(body);
  if (parsed === undefined) return httpStatus >= 500 ? unknown("processor_fault") : "garbage";
  if (httpStatus !== 200) {
    const error = wordOf((parsed as { readonly error?: unknown }).error) ?? "";
    return toOutcome(meaningOfRefusal(httpStatus, error, expected.kind), { ...noWords, responseCode: error });
  }
  const words = wordsOf(parsed);
  if (words === undefined) return "garbage";
  if (words.reference !== expected.reference) return "answer_mismatch";
  if (expected.amount !== undefined && words.amount !== String(expected.amount)) return "answer_mismatch";
  if (expected.currency !== undefined && words.currency !== expected.currency) return "answer_mismatch";
  return toOutcome(meaningOfAnswer(words.status, words.code, expected.kind), {
    ...noWords,
    processorReference: words.id,
    responseCode: words.code,
    authCode: words.approval,
  });
}

/** What a query found. `not_found` only for the documented word that says so; anything else has not said no. */
export function readQueryAnswer(httpStatus: number, body: Buffer, expected: Expected): QueryAnswer | Refused {
  // Fill in: acme's word for "there is no such payment", once it is documented: then `return { kind: "not_found" }`.
  const outcome = readOutcome(httpStatus, body, expected);
  if (typeof outcome === "string") return outcome;
  // A refusal of the question says nothing about the operation.
  const isRefusal = httpStatus !== 200 && outcome.kind !== "unknown";
  return { kind: "found", outcome: isRefusal ? unknown("not_reached") : outcome };
}

function parse(body: Buffer): object | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function wordOf(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= wordLengthMax ? value : undefined;
}

function wordsOf(parsed: object): Words | undefined {
  const fields = parsed as Readonly<Record<string, unknown>>;
  const words = Object.fromEntries(wordNames.map((name) => [name, wordOf(fields[name])]));
  return Object.values(words).includes(undefined) ? undefined : (words as Words);
}

function toOutcome(meaning: Meaning, words: ProcessorWords): Outcome {
  if (meaning.kind === "approved") return { kind: "approved", words, isFinal: meaning.isFinal };
  if (meaning.kind === "declined") return { kind: "declined", words, reason: meaning.reason };
  if (meaning.kind === "not_sent") return notSent(meaning.cause);
  return { kind: "unknown", cause: meaning.cause, words };
}
