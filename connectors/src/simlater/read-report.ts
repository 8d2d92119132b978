/**
 * From simlater's bytes to what is known: answers to orders, to cancellations and to questions, and callbacks. Pure.
 *
 * A report counts only when it names our reference, the step and, where we sent one, our amount and currency.
 */
import type { Sending } from "../callbacks/awaited-operations.ts";
import { notSent, type Outcome, type ProcessorWords, type QueryAnswer, unknown } from "../contract/outcome.ts";
import type { Refused } from "../http1/link.ts";
import { parseDecimal } from "./decimal-amount.ts";
import { type Meaning, meaningOfFault, meaningOfRefusal, meaningOfReport, type Step } from "./response-table.ts";

export type Expected = {
  readonly reference: string;
  readonly step: Step;
  /** Minor units; undefined where we sent none. */
  readonly amount: bigint | undefined;
  readonly currency: string | undefined;
};

/** A report whose fields are strings of sane length; nothing in it is believed yet. */
type Report = { readonly [Name in (typeof reportFields)[number]]: string } & { readonly value: string; readonly ccy: string };
const reportFields = ["orderRef", "ticket", "step", "verdict", "why", "approval", "addressCheck", "codeCheck"] as const;

/** Longest id, code or word that is passed on. */
const wordLengthMax = 64;
const addressWords: ReadonlyMap<string, string> = new Map([
  ["Y", "match"],
  ["N", "mismatch"],
  ["P", "partial"],
  ["U", "unavailable"],
]);
const codeWords: ReadonlyMap<string, string> = new Map([
  ["Y", "match"],
  ["N", "mismatch"],
  ["U", "unavailable"],
]);
const noWords: ProcessorWords = { processorReference: "", responseCode: "", authCode: "", avs: "", cvv: "" };

/** The answer to an order or a step: whether it was taken. */
export function readTaken(
  httpStatus: number,
  body: Buffer,
  { reference, step }: Pick<Expected, "reference" | "step">,
): { readonly sending: Sending } | Refused {
  const parsed = parse(body);
  if (parsed === undefined) return httpStatus >= 500 ? decided(unknown("processor_fault")) : "garbage";
  const fault = faultOf(parsed);
  if (fault !== undefined) {
    const outcome = toOutcome(meaningOfRefusal(httpStatus, fault, step), { ...noWords, responseCode: fault });
    const isOver = outcome.kind !== "unknown" || outcome.cause === "processor_fault" || outcome.cause === "turned_away";
    return isOver ? decided(outcome) : { sending: { kind: "unclear", cause: outcome.cause } };
  }
  if (httpStatus !== 202) return { sending: { kind: "unclear", cause: httpStatus >= 500 ? "processor_fault" : "unmapped_response" } };
  const { taken, orderRef } = parsed as { readonly taken?: unknown; readonly orderRef?: unknown };
  if (taken !== true) return "garbage";
  return orderRef === reference ? { sending: { kind: "taken" } } : "answer_mismatch";
}

/** The answer to a cancellation: the report itself. */
export function readOutcome(httpStatus: number, body: Buffer, expected: Expected): Outcome | Refused {
  const parsed = parse(body);
  if (parsed === undefined) return httpStatus >= 500 ? unknown("processor_fault") : "garbage";
  const fault = faultOf(parsed);
  if (fault !== undefined) return toOutcome(meaningOfRefusal(httpStatus, fault, expected.step), { ...noWords, responseCode: fault });
  if (httpStatus !== 200) return unknown(httpStatus >= 500 ? "processor_fault" : "unmapped_response");
  const report = reportOf(parsed);
  return report === undefined ? "garbage" : judge(report, expected);
}

/** What a question found. Only simlater's own documented word for "no such order" is `not_found`. */
export function readQueryAnswer(httpStatus: number, body: Buffer, expected: Expected): QueryAnswer | Refused {
  const parsed = parse(body);
  const fault = parsed === undefined ? undefined : faultOf(parsed);
  if (httpStatus === 404 && fault === "NO_SUCH_ORDER") return { kind: "not_found" };
  if (fault !== undefined) {
    const meaning = meaningOfFault(httpStatus, fault);
    // A refusal of the question says nothing about the operation.
    return { kind: "found", outcome: unknown(meaning.kind === "unknown" ? meaning.cause : "not_reached") };
  }
  const outcome = readOutcome(httpStatus, body, expected);
  return typeof outcome === "string" ? outcome : { kind: "found", outcome };
}

/** A callback whose signature is right. Undefined: not as documented. */
export function readEvent(
  body: Buffer,
): { readonly eventId: string; readonly reference: string; readonly outcomeFor: (expected: Expected) => Outcome } | undefined {
  const parsed = parse(body) as { readonly eventId?: unknown; readonly report?: unknown } | undefined;
  const eventId = wordOf(parsed?.eventId);
  const report = reportOf(parsed?.report);
  if (eventId === undefined || eventId === "" || report === undefined) return undefined;
  const outcomeFor = (expected: Expected): Outcome => {
    const outcome = judge(report, expected);
    return typeof outcome === "string" ? unknown(outcome) : outcome;
  };
  return { eventId, reference: report.orderRef, outcomeFor };
}

function decided(outcome: Outcome): { readonly sending: Sending } {
  return { sending: { kind: "decided", outcome } };
}

function parse(body: Buffer): object | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function faultOf(parsed: object): string | undefined {
  return "fault" in parsed ? (wordOf(parsed.fault) ?? "") : undefined;
}

function wordOf(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= wordLengthMax ? value : undefined;
}

function reportOf(value: unknown): Report | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  const total = fields["total"] as Readonly<Record<string, unknown>> | null | undefined;
  const words = Object.fromEntries(reportFields.map((name) => [name, wordOf(fields[name])]));
  const report = { ...words, value: wordOf(total?.["value"]), ccy: wordOf(total?.["ccy"]) };
  return Object.values(report).includes(undefined) ? undefined : (report as Report);
}

function judge(report: Report, expected: Expected): Outcome | Refused {
  const amount = parseDecimal(report.value, report.ccy);
  if (amount === undefined) return "garbage";
  if (report.orderRef !== expected.reference) return "answer_mismatch";
  if (report.step !== expected.step) return "answer_mismatch";
  if (expected.amount !== undefined && amount !== expected.amount) return "answer_mismatch";
  if (expected.currency !== undefined && report.ccy !== expected.currency) return "answer_mismatch";
  return toOutcome(meaningOfReport(report.verdict, report.why, expected.step), {
    processorReference: report.ticket,
    responseCode: report.why,
    authCode: report.approval,
    avs: addressWords.get(report.addressCheck) ?? "",
    cvv: codeWords.get(report.codeCheck) ?? "",
  });
}

function toOutcome(meaning: Meaning, words: ProcessorWords): Outcome {
  if (meaning.kind === "approved") return { kind: "approved", words, isFinal: meaning.isFinal };
  if (meaning.kind === "declined") return { kind: "declined", words, reason: meaning.reason };
  if (meaning.kind === "not_sent") return notSent(meaning.cause);
  return { kind: "unknown", cause: meaning.cause, words };
}
