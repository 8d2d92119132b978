/**
 * Finds out at the processor what became of an open operation, in the way that its connector declares (`Capabilities.unknown_strategy`):
 *
 * - query: ask by our reference. What the processor does not have it is told to refuse from then on, where it can be told so.
 * - repeat: send the same operation with the same reference; the processor carries it out once.
 * - reverse: undo the authorization; captures, voids and refunds are advices and are repeated.
 * - file: nothing can be asked; the settlement file decides.
 *
 * Nothing new is ever sent for an operation whose outcome is unknown: a question, the same reference, or its undoing.
 */
import { assert, idToHex } from "@florin/kernel";
import type { OpenOperation, Outcome, Payment, Transition } from "../domain/payment/index.ts";
import type { Parts } from "./parts.ts";
import { undo } from "./reversal.ts";

export type Verdict =
  /** What the processor says; an unknown outcome says nothing. */
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  /** It has no effect, and will have none. */
  | { readonly kind: "without_effect"; readonly cause: "not_found" | "reversed" }
  /** Ask again later. */
  | { readonly kind: "undecided" }
  /** Asking is of no use. */
  | { readonly kind: "awaits_file" };

/**
 * "I have no such operation" is believed only of operations that this process has known for so long: a request may still be on its way,
 * and would be carried out after we had called it failed. The time in the log is another machine's, which may be wrong.
 */
export const notFoundBelievedAfterMs = 30_000;

type Question = { readonly payment: Payment; readonly open: OpenOperation /** The row of its intent. */; readonly intent: Transition };

export async function askProcessor(parts: Parts, question: Question): Promise<Verdict> {
  const { open } = question;
  const abilities = await parts.connectors.abilities(open.connector);
  if (abilities === undefined) return nobodyKnows("connectors_unavailable");
  switch (abilities.unknownStrategy) {
    case "query":
      return query(parts, question, abilities.reversal);
    case "repeat":
      return repeat(parts, question);
    case "reverse":
      return open.kind === "authorize" ? reverse(parts, question) : repeat(parts, question);
    case "file":
      return { kind: "awaits_file" };
  }
}

async function query(parts: Parts, { payment, open, intent }: Question, canReverse: boolean): Promise<Verdict> {
  const { connector, id: reference, amount } = open;
  const seenForMs = parts.sightings.seenForMs(idToHex(reference));
  const { traceparent } = intent.event.origin;
  const { found, outcome } = await parts.connectors.query({ connector, reference, amount, currency: payment.currency, traceparent });
  if (found) return { kind: "outcome", outcome };
  if (seenForMs < notFoundBelievedAfterMs) return { kind: "undecided" };
  // What the processor has accepted it cannot have lost: that is for people to look at, not for us to fail.
  if (open.isAccepted) return { kind: "undecided" };
  if (!canReverse) return { kind: "without_effect", cause: "not_found" };
  // It may have arrived since the question: then it is undone, or, where that cannot be, found by the next question.
  return (await undo(parts, payment, open)).kind === "approved" ? { kind: "without_effect", cause: "not_found" } : { kind: "undecided" };
}

async function reverse(parts: Parts, { payment, open }: Question): Promise<Verdict> {
  const outcome = await undo(parts, payment, open);
  if (outcome.kind === "approved") return { kind: "without_effect", cause: "reversed" };
  return nobodyKnows(outcome.kind === "not_sent" && outcome.cause === "retry_budget" ? outcome.cause : "not_reversed");
}

async function repeat(parts: Parts, { payment, open, intent }: Question): Promise<Verdict> {
  // Who began it may be alive and still send. Recorded as unknown first, it is not made unsent by what that one hears of its own try.
  if (!open.isUnknown && !open.isAccepted) return nobodyKnows("sender_silent");
  const outcome = await sendAgain(parts, { payment, open, intent });
  // That the repetition was not sent says nothing about the first time.
  return outcome.kind === "not_sent" ? nobodyKnows(outcome.cause) : { kind: "outcome", outcome };
}

/** With the payment as it was when the operation was decided: the same request, to the last field. */
function sendAgain({ connectors }: Parts, { open, intent }: Question): Promise<Outcome> {
  const { id, amount } = open;
  const { traceparent } = intent.event.origin;
  const isAgain = true;
  switch (open.kind) {
    case "authorize":
      return connectors.authorize(intent.payment, { attemptId: id, connector: open.connector, traceparent, isAgain });
    case "capture":
      return connectors.capture(intent.payment, { id, amount, traceparent, isAgain });
    case "void":
      return connectors.void(intent.payment, { id, traceparent, isAgain });
    case "refund": {
      const reason = intent.payment.refunds.find((refund) => refund.id === id)?.reason ?? "";
      return connectors.refund(intent.payment, { id, amount, reason, traceparent, isAgain });
    }
    case "reversal":
      assert(false, "a reversal is settled by repeating it");
  }
}

function nobodyKnows(cause: string): Verdict {
  return { kind: "outcome", outcome: { kind: "unknown", cause } };
}
