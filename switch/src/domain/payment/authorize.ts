/**
 * Authorization attempts: the intent, the block by a fraud rule, and what the processor's answer makes of the payment.
 *
 * An attempt starts from `created` or `declined` only, so a payment has at most one hold. An answer to an attempt that is decided
 * already changes nothing: a late approval after a reversal stays reversed.
 */
import { assert, type DeclineReason, declineReasons } from "@florin/kernel";
import type { Origin, Refusal } from "./event.ts";
import { becameUnknown, closed, comesTooLate, findOpen, isNews, opened, tooLate, type Yes } from "./operation.ts";
import type { Outcome, ProcessorWords } from "./outcome.ts";
import { type CardSummary, type Decline, type FraudCheck, intentLifetimeMs, type Payment, type ProcessorResponse } from "./payment.ts";
import {
  advance,
  append,
  begin,
  type Decision,
  type Facts,
  ignore,
  type Recording,
  refuse,
  type Step,
  type Transition,
} from "./transition.ts";

export type Attempt = {
  /** "att_…": our reference towards the processor. */
  readonly attemptId: string;
  readonly token: string;
  readonly card: CardSummary;
  readonly fraudCheck: FraudCheck;
  /** Registry name of the connector that routing chose. */
  readonly connector: string;
  /** How it was chosen, for the timeline; see `storeDecision` of routing. */
  readonly routing: string;
};

export type AttemptContext = { readonly nowMs: number; readonly origin: Origin };

/** The intent to authorize. `payment` is a stored payment, or a draft (version 0) whose first event this becomes. */
export function requestAuthorization(payment: Payment, attempt: Attempt, context: AttemptContext): Decision {
  const refusal = refuseAttempt(payment, context.nowMs);
  if (refusal !== undefined) return refusal;
  const facts: Facts = {
    ...attemptFacts(payment, attempt),
    hold: "requested",
    decline: undefined,
    openOperations: opened(payment, {
      id: attempt.attemptId,
      kind: "authorize",
      amount: payment.amount,
      connector: attempt.connector,
      nowMs: context.nowMs,
    }),
  };
  const step = attemptStep("authorization_requested", payment, attempt, context, {
    connector: attempt.connector,
    routing: attempt.routing,
  });
  return append(beginOrAdvance(payment, facts, step));
}

/** A fraud rule or a network's rule said no: a decline that never reached a processor. */
export function blockAuthorization(
  payment: Payment,
  attempt: Attempt,
  context: AttemptContext & { readonly reason: DeclineReason },
): Decision {
  const refusal = refuseAttempt(payment, context.nowMs);
  if (refusal !== undefined) return refusal;
  const decline = declineOf(context.reason);
  const facts: Facts = { ...attemptFacts(payment, attempt), hold: "declined", decline };
  const step = attemptStep("authorization_blocked", payment, attempt, context, { reasons: attempt.fraudCheck.reasons.join(" ") });
  return append(beginOrAdvance(payment, facts, { ...step, refusal: declineRefusal(decline) }));
}

/** What an issuer said to an earlier attempt of the same call, by way of this connector. */
export type EarlierDecline = { readonly outcome: Extract<Outcome, { readonly kind: "declined" }>; readonly connector: string };

/**
 * What the processor's answer to an attempt makes of the payment. `authorizationLifetimeMs` is the connector's (R11). `earlier`: the answer where
 * this attempt was not sent, for an issuer's no must not become "ask again".
 */
export function recordAuthorization(
  payment: Payment,
  answer: Yes & {
    readonly attemptId: string;
    readonly outcome: Outcome;
    readonly earlier?: EarlierDecline | undefined;
    readonly told?: ToldOfCascade;
  },
  context: { readonly nowMs: number; readonly origin: Origin; readonly authorizationLifetimeMs: number },
): Recording {
  const operation = findOpen(payment, answer.attemptId);
  if (operation === undefined) return ignore("the attempt is decided already");
  const { outcome } = answer;
  const step = { nowMs: context.nowMs, origin: context.origin, operationId: answer.attemptId, amount: payment.amount };
  const done = closed(payment, answer.attemptId);
  switch (outcome.kind) {
    case "approved": {
      if (comesTooLate(operation, answer)) return ignore(tooLate);
      const isSale = payment.captureMode === "automatic";
      const facts: Facts = {
        ...done,
        hold: "held",
        authorized: payment.amount,
        captured: isSale ? payment.amount : 0n,
        decline: undefined,
        processorResponse: responseOf(operation.connector, outcome.words),
        // The issuer's time runs since it was asked, and not since we found out.
        authorizationExpiresAtMs: isSale ? 0 : Math.min(operation.startedAtMs, context.nowMs) + context.authorizationLifetimeMs,
      };
      return append(
        advance(payment, facts, {
          ...step,
          type: isSale ? "payment_authorized_and_captured" : "payment_authorized",
          details: wordsOf(outcome.words),
        }),
      );
    }
    case "declined": {
      const decline = declineOf(outcome.reason);
      const facts: Facts = { ...done, hold: "declined", decline, processorResponse: responseOf(operation.connector, outcome.words) };
      const details = { ...wordsOf(outcome.words), reason: outcome.reason, ...answer.told };
      return append(advance(payment, facts, { ...step, type: "authorization_declined", details, refusal: declineRefusal(decline) }));
    }
    case "not_sent": {
      if (operation.isUnknown) return ignore("an unknown attempt is not made unsent by a later fault");
      const { refusal, ...told } = answer.earlier === undefined ? notSentAnswer(outcome.cause) : earlierAnswer(answer.earlier);
      const details = { cause: outcome.cause, ...answer.told };
      return append(
        advance(payment, { ...done, hold: "declined", ...told }, { ...step, type: "authorization_not_sent", details, refusal }),
      );
    }
    case "unknown": {
      if (!isNews(operation, outcome.cause)) return ignore("the attempt is unknown already");
      const facts = becameUnknown(payment, answer.attemptId, { ...context, cause: outcome.cause });
      return append(advance(payment, facts, { ...step, type: "authorization_unknown", details: { cause: outcome.cause } }));
    }
  }
}

/** Why nobody else was asked, and who was passed over; empty mostly. */
export type ToldOfCascade = Readonly<Record<string, string>>;

/** Why an attempt has ended without the money; only after such an outcome another processor may be asked. */
export type EndedOutcome = Extract<Outcome, { readonly kind: "declined" | "not_sent" }>;

export type Rerouting = {
  /** The attempt that has ended. */
  readonly attemptId: string;
  readonly outcome: EndedOutcome;
  /** The attempt that begins, with a reference of its own. */
  readonly next: { readonly attemptId: string; readonly connector: string };
  readonly told?: ToldOfCascade;
};

/** Not once its outcome was unknown to somebody: whoever was told so waits for that attempt, and nothing follows an unknown outcome. */
export function mayReroute(payment: Payment, attemptId: string): boolean {
  return payment.hold === "requested" && findOpen(payment, attemptId)?.isUnknown === false;
}

/**
 * One attempt has ended with a no that another processor might not give: the next one begins, with the same card and the same risk.
 * Only where `mayReroute` holds.
 */
export function rerouteAuthorization(payment: Payment, { attemptId, outcome, next, told }: Rerouting, context: AttemptContext): Transition {
  const ended = findOpen(payment, attemptId);
  assert(ended !== undefined && mayReroute(payment, attemptId), "only an attempt that is under way is followed by another");
  const done = closed(payment, attemptId);
  const opening = {
    id: next.attemptId,
    kind: "authorize",
    amount: payment.amount,
    connector: next.connector,
    nowMs: context.nowMs,
  } as const;
  const facts: Facts = {
    ...done,
    openOperations: opened({ ...payment, ...done }, opening),
    authorizationId: next.attemptId,
    attempts: payment.attempts + 1,
  };
  return advance(payment, facts, {
    type: "authorization_rerouted",
    nowMs: context.nowMs,
    origin: context.origin,
    operationId: next.attemptId,
    amount: payment.amount,
    details: { after: attemptId, after_connector: ended.connector, ...endOf(outcome), connector: next.connector, ...told },
  });
}

function endOf(outcome: EndedOutcome): Readonly<Record<string, string>> {
  return outcome.kind === "declined" ? { ...wordsOf(outcome.words), reason: outcome.reason } : { cause: outcome.cause };
}

/** The query-backs could not decide: the merchant is told so, with the time by which the settlement file will. */
export function giveUpQuerying(
  payment: Payment,
  attemptId: string,
  context: { readonly nowMs: number; readonly origin: Origin },
): Recording {
  const operation = findOpen(payment, attemptId);
  if (operation?.kind !== "authorize" || payment.hold !== "requested") return ignore("no attempt is being asked about");
  const facts: Facts = { ...becameUnknown(payment, attemptId, { ...context, cause: "" }), hold: "ambiguous" };
  return append(
    advance(payment, facts, {
      type: "authorization_ambiguous",
      nowMs: context.nowMs,
      origin: context.origin,
      operationId: attemptId,
      amount: payment.amount,
    }),
  );
}

/** The processor surely has no such attempt, or has undone it: nothing was charged. */
export function recordReversal(
  payment: Payment,
  answer: { readonly attemptId: string; readonly cause: string },
  context: { readonly nowMs: number; readonly origin: Origin },
): Recording {
  if (findOpen(payment, answer.attemptId) === undefined) return ignore("the attempt is decided already");
  const decline = declineOf("processing_error");
  const facts: Facts = { ...closed(payment, answer.attemptId), hold: "declined", decline };
  return append(
    advance(payment, facts, {
      type: "authorization_reversed",
      nowMs: context.nowMs,
      origin: context.origin,
      operationId: answer.attemptId,
      amount: payment.amount,
      details: { cause: answer.cause },
      refusal: declineRefusal(decline),
    }),
  );
}

function refuseAttempt(payment: Payment, nowMs: number): Decision | undefined {
  if (payment.status === "processing" || payment.status === "ambiguous")
    return refuse("payment_busy", "an authorization of this payment is still under way");
  if (payment.status !== "created" && payment.status !== "declined")
    return refuse("payment_state_invalid", `a payment that is ${payment.status} cannot be authorized`);
  if (nowMs - payment.createdAtMs > intentLifetimeMs)
    return refuse("payment_state_invalid", "a payment can be authorized within 24 hours of its creation; make a new one");
  return undefined;
}

function beginOrAdvance(payment: Payment, facts: Facts, step: Step): Transition {
  if (payment.version > 0) return advance(payment, facts, step);
  const first: Payment = { ...payment, ...facts, version: 1, status: facts.hold === "declined" ? "declined" : "processing" };
  return begin(first, step);
}

function attemptFacts(payment: Payment, attempt: Attempt): Facts {
  return {
    token: attempt.token,
    card: attempt.card,
    fraudCheck: attempt.fraudCheck,
    processorResponse: undefined,
    authorizationId: attempt.attemptId,
    attempts: payment.attempts + 1,
  };
}

function attemptStep(
  type: "authorization_requested" | "authorization_blocked",
  payment: Payment,
  attempt: Attempt,
  context: AttemptContext,
  details: Readonly<Record<string, string>>,
): Step {
  return { type, nowMs: context.nowMs, origin: context.origin, operationId: attempt.attemptId, amount: payment.amount, details };
}

function declineOf(reason: DeclineReason): Decline {
  return { reason, ...declineReasons[reason] };
}

/** Words to a merchant whose token opens no card for this payment. */
export const tokenRefusals = {
  token_not_found: "no such payment method token",
  token_already_used: "the token is for one payment, and another payment has it",
  token_expired: "the token has expired",
  token_deleted: "the token was deleted",
} as const;
export const tokenParam = "payment_method.token";

const isTokenRefusal = (cause: string): cause is keyof typeof tokenRefusals => Object.hasOwn(tokenRefusals, cause);

/** Nothing left the house: for want of a processor, or because the vault kept the card closed, which no repetition changes. */
function notSentAnswer(cause: string): { readonly decline: Decline; readonly refusal: Refusal } {
  if (isTokenRefusal(cause))
    return { decline: declineOf("token_not_usable"), refusal: { code: cause, message: tokenRefusals[cause], param: tokenParam } };
  const decline = declineOf("processor_unreachable");
  return { decline, refusal: { code: "processor_unavailable", message: decline.message } };
}

function earlierAnswer({ outcome, connector }: EarlierDecline) {
  const decline = declineOf(outcome.reason);
  return { decline, processorResponse: responseOf(connector, outcome.words), refusal: declineRefusal(decline) };
}

function declineRefusal(decline: Decline): Refusal {
  return { code: "card_declined", declineCode: decline.declineCode, message: decline.message };
}

function responseOf(connector: string, words: ProcessorWords): ProcessorResponse {
  return {
    connector,
    code: words.responseCode,
    authCode: words.authCode,
    avs: words.avs,
    cvv: words.cvv,
    processorReference: words.processorReference,
  };
}

function wordsOf(words: ProcessorWords): Readonly<Record<string, string>> {
  return words.responseCode === "" ? {} : { processor_code: words.responseCode };
}
