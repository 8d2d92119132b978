/**
 * From a reply to an outcome. Pure. The link has matched it by type, number and terminal; here it has to repeat what was asked: amount,
 * currency and processing code, where it has them. What contradicts is about something else, and its outcome unknown.
 */
import { Secret } from "@florin/kernel";
import { type Outcome, type ProcessorWords, unknown } from "../../contract/outcome.ts";
import type { IsoMessage } from "../codec/message.ts";
import { type Meaning, meaningOf } from "../response-table.ts";
import { textInPrivateData } from "./private-data.ts";

/** Results of the address check and of the security code in DE 48, as the large networks write them. */
const avsOf: ReadonlyMap<string, string> = new Map([
  ["Y", "match"],
  ["X", "match"],
  ["N", "mismatch"],
  ["A", "partial"],
  ["Z", "partial"],
  ["W", "partial"],
  ["U", "unavailable"],
]);
const cvvOf: ReadonlyMap<string, string> = new Map([
  ["M", "match"],
  ["N", "mismatch"],
  ["P", "unavailable"],
  ["U", "unavailable"],
]);
const avsTag = "83";
const cvvTag = "87";

const repeated = [3, 4, 49] as const;
/**
 * "I have no such operation" ends a reversal only when it has been asked for so long (ms) that the original, which left before, cannot arrive any
 * more. Until then that may be on its way, and would be carried out after we had called it undone.
 */
export const noOriginalBelievedAfterMs = 120_000;

export type Asked =
  /** A hold or a purchase. It is asked once, so a temporary decline is one. */
  | { readonly kind: "authorization" }
  /** A capture, a void or a refund: repeated until it is answered. What has nothing to refer to is a refusal. */
  | { readonly kind: "movement" }
  /** Repeated until it is answered. `askedForMs`: since it was sent first, by this process's clock that never jumps; other machines' may be wrong. */
  | { readonly kind: "reversal"; readonly askedForMs: number };

/** `request`: what was asked, as it was sent. */
export function readReply(request: IsoMessage, reply: IsoMessage, asked: Asked): Outcome {
  for (const field of repeated) {
    const [sent, came] = [request.fields.get(field), reply.fields.get(field)];
    if (sent !== undefined && came !== undefined && sent !== came) return unknown("answer_mismatch");
  }
  const code = reply.fields.get(39);
  // A reply without a code says nothing.
  if (typeof code !== "string" || code === "") return unknown("garbage");
  return toOutcome(meaningOf("1987", code), wordsOf(reply, code), asked);
}

function toOutcome(meaning: Meaning, words: ProcessorWords, asked: Asked): Outcome {
  switch (meaning.kind) {
    case "approved":
      return { kind: "approved", words, isFinal: true };
    case "declined":
      // The host may have carried out an earlier copy, and may carry out the next: only an answer about the operation itself ends it.
      if (asked.kind !== "authorization" && meaning.about !== "operation")
        return { kind: "unknown", cause: meaning.about === "request" ? "turned_away" : "processor_fault", words };
      return { kind: "declined", words, reason: meaning.reason };
    case "unknown":
      return { kind: "unknown", cause: meaning.cause, words };
    case "no_original":
      // An authorization is about no other operation: the host misread it, and no issuer spoke.
      if (asked.kind === "authorization") return { kind: "declined", words, reason: "processing_error" };
      if (asked.kind === "movement") return { kind: "declined", words, reason: "transaction_not_allowed" };
      return asked.askedForMs >= noOriginalBelievedAfterMs
        ? { kind: "approved", words, isFinal: true }
        : { kind: "unknown", cause: "in_progress", words };
  }
}

function wordsOf(reply: IsoMessage, responseCode: string): ProcessorWords {
  const data = reply.fields.get(48);
  const result = (tag: string) => (data instanceof Secret ? textInPrivateData(data, tag) : "");
  return {
    processorReference: textOf(reply, 37),
    responseCode,
    authCode: textOf(reply, 38),
    avs: avsOf.get(result(avsTag)) ?? "",
    cvv: cvvOf.get(result(cvvTag)) ?? "",
  };
}

function textOf({ fields }: IsoMessage, field: number): string {
  const value = fields.get(field);
  return typeof value === "string" ? value : "";
}
