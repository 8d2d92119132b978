/**
 * Finds out at the processor what became of an open operation, in the way that its connector declares (`Capabilities.unknown_strategy`):
 *
 * - query: ask by our reference. What the processor does not have it is told to refuse from then on, where it can be told so.
 * - repeat: send the same operation with the same reference; the processor carries it out once.
 * - reverse: undo the authorization; captures, voids and refunds are advices and are repeated.
 * - file: nothing can be asked; the settlement file decides.
 *
 * Nothing new is ever sent for an operation whose outcome is unknown: a question, the same reference, or its undoing. That it is undone is recorded
 * first, because whoever sent it may still hear a yes and record it.
 */
import { assert, idToHex } from "@florin/kernel";
import type { OpenOperation, Outcome, Payment, Transition } from "../domain/payment/index.ts";
import type { Parts } from "./parts.ts";
import { undo } from "./reversal.ts";

export type Verdict =
  /** What the processor says; an unknown outcome says nothing. `isKept`: it has refused to undo the operation. */
  | { readonly kind: "outcome"; readonly outcome: Outcome; readonly isKept?: boolean }
  /** It has no effect, and will have none. */
  | { readonly kind: "without_effect"; readonly cause: Undoing }
  /** Ask again later. */
  | { readonly kind: "undecided" }
  /** Asking is of no use. */
  | { readonly kind: "awaits_file" };

/** Why an operation is undone: the processor does not have it, or undoing is how its outcome is found. */
type Undoing = "not_found" | "reversed";

/** What `askProcessor` says: a verdict, or that the operation is to be undone, with `undoOpen`, once that is recorded. */
export type Answer = Verdict | { readonly kind: "to_undo"; readonly why: Undoing };

/**
 * "I have no such operation" is believed only of operations that this process has known for so long: a request may still be on its way,
 * and would be carried out after we had called it failed. The time in the log is another machine's, which may be wrong.
 */
export const notFoundBelievedAfterMs = 30_000;

export type Question = {
  readonly payment: Payment;
  readonly open: OpenOperation /** The row of its intent. */;
  readonly intent: Transition;
};

export async function askProcessor(parts: Parts, question: Question): Promise<Answer> {
  const { open } = question;
  const abilities = await parts.connectors.abilities(open.connector);
  if (abilities === undefined) return nobodyKnows("connectors_unavailable");
  switch (abilities.unknownStrategy) {
    case "query":
      return query(parts, question, abilities.reversal);
    case "repeat":
      return repeat(parts, question);
    case "reverse":
      return open.kind === "authorize" ? reverse(parts, open) : repeat(parts, question);
    case "file":
      return { kind: "awaits_file" };
  }
}

async function query(parts: Parts, question: Question, canReverse: boolean): Promise<Answer> {
  const { open } = question;
  if (open.isBeingUndone) return { kind: "to_undo", why: "not_found" };
  const isLongKnown = isKnownForLong(parts, open);
  const { found, outcome } = await lookUp(parts, question);
  if (found) return { kind: "outcome", outcome };
  if (!isLongKnown) return { kind: "undecided" };
  // What the processor has accepted it cannot have lost: that is for people to look at, not for us to fail.
  if (open.isAccepted) return { kind: "undecided" };
  if (!canReverse) return { kind: "without_effect", cause: "not_found" };
  // It may have arrived since the question.
  return { kind: "to_undo", why: "not_found" };
}

function lookUp({ connectors }: Parts, { payment, open, intent }: Question): ReturnType<Parts["connectors"]["query"]> {
  const { connector, id: reference, amount } = open;
  return connectors.query({ connector, reference, amount, currency: payment.currency, traceparent: intent.event.origin.traceparent });
}

/** An authorization that is under way is not undone on the word of another machine's clock. */
function reverse(parts: Parts, open: OpenOperation): Answer {
  return open.isUnknown || isKnownForLong(parts, open) ? { kind: "to_undo", why: "reversed" } : { kind: "undecided" };
}

function isKnownForLong(parts: Parts, open: OpenOperation): boolean {
  return parts.sightings.seenForMs(idToHex(open.id)) >= notFoundBelievedAfterMs;
}

/** Undoes an operation that is recorded as being undone, and asks about one that its processor refuses to undo. */
export async function undoOpen(parts: Parts, question: Question, why: Undoing): Promise<Verdict> {
  assert(question.open.isBeingUndone, "what is undone is recorded first");
  const undone = await undo(parts, question.payment, question.open);
  if (undone.kind === "approved") return { kind: "without_effect", cause: why };
  if (why === "reversed") return nobodyKnows(undone.kind === "not_sent" && undone.cause === "retry_budget" ? undone.cause : "not_reversed");
  if (undone.kind !== "declined") return { kind: "undecided" };
  const { found, outcome } = await lookUp(parts, question);
  return found ? { kind: "outcome", outcome, isKept: true } : { kind: "undecided" };
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
