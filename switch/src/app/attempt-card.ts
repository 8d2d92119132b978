/**
 * One call for an authorization with a card that is known: its risk, its past, its way, and the attempts along that way.
 *
 * Risk, past and way are judged once, before the first intent; a cascade goes on with the same card, the same risk and the same ranking.
 */
import { type DeclineReason, makeId } from "@florin/kernel";
import type { TokenDescription } from "../clients/token-directory.ts";
import {
  type AttemptContext,
  blockAuthorization,
  type CardSummary,
  type Decision,
  type EarlierDecline,
  type FraudCheck,
  findOpen,
  mayReroute,
  type Payment,
  recordAuthorization,
  requestAuthorization,
  rerouteAuthorization,
} from "../domain/payment/index.ts";
import { type GuardReason, type GuardVerdict, type RoutingDecision, rankedProcessors, storeDecision } from "../domain/routing/index.ts";
import type { KeyUse } from "../store/claims.ts";
import type { Screened } from "./fraud/screen.ts";
import type { CallerIdentity, DecideContext, Operation, OperationAnswer } from "./operation.ts";
import type { Parts } from "./parts.ts";
import { startCascade } from "./routing/cascade.ts";
import { startNetworkGuard } from "./routing/network-guard.ts";
import type { RoutedPayment } from "./routing/router.ts";
import { runOperation } from "./run-operation.ts";

export type AttemptCommand = { readonly token: string /** Empty when the merchant sent none. */; readonly customerIp: string };

export type Attempt = {
  readonly caller: CallerIdentity;
  readonly use: KeyUse;
  readonly attempt: AttemptCommand;
  readonly paymentId: string;
  /** The draft of a new payment. */
  readonly draft: Payment | undefined;
};

export async function attemptCard(parts: Parts, o: Attempt, described: TokenDescription): Promise<OperationAnswer> {
  const { caller, attempt, use, paymentId } = o;
  const { merchantId } = caller;
  const { card, fingerprint } = described;
  const nowMs = parts.now();
  const who: Screened = { merchantId, cardFingerprint: fingerprint, bin: card.bin, customerIp: attempt.customerIp };
  const attemptId = makeId("attempt", nowMs, parts.random(10));
  const guard = startNetworkGuard(parts, { merchantId, mode: caller.mode, described, attemptId });
  let judged: Judged | undefined;
  const decide = async (stored: Payment | undefined, { counts }: DecideContext): Promise<Decision> => {
    const payment = stored ?? (o.draft as Payment);
    // Judged once, however often a faster writer makes us decide again: judging may count.
    if (judged === undefined) {
      const guarded = await guard.judge();
      const { id, amount, currency } = payment;
      const verdict = await screen(parts, who, payment, { counts, nowMs });
      judged = judge(parts, { payment: { id, merchantId, mode: caller.mode, amount, currency, card }, guarded, verdict });
    }
    return decisionOf(judged, payment, { attemptId, token: attempt.token, card }, { nowMs: parts.now(), origin: caller.origin });
  };
  const ranked = () => (judged?.kind === "way" ? judged.ranked : []);
  try {
    return await runOperation(parts, {
      use,
      caller,
      paymentId,
      isNew: o.draft !== undefined,
      counters: [...parts.fraud.counters(who, nowMs), ...guard.counters],
      counted: guard.counted,
      decide,
      send: sendTo(parts, caller),
      goOn: startCascade(parts, { guard, ranked, startedAtMs: parts.timing.monotonicMs(), budget: caller.budget }),
      record: recordIn(parts, caller),
    });
  } finally {
    guard.end();
  }
}

type AttemptFacts = { readonly attemptId: string; readonly token: string; readonly card: CardSummary };

function decisionOf(judged: Judged, payment: Payment, attempt: AttemptFacts, context: AttemptContext): Decision {
  const { fraudCheck } = judged;
  switch (judged.kind) {
    case "blocked":
      return blockAuthorization(payment, { ...attempt, fraudCheck, connector: "", routing: "" }, { ...context, reason: judged.reason });
    case "no_way":
      return { kind: "refused", refusal: judged.refusal };
    case "way":
      return requestAuthorization(
        payment,
        { ...attempt, fraudCheck, connector: judged.ranked[0] as string, routing: judged.routing },
        context,
      );
  }
}

/** With the connector of the intent's own operation: a cascade has several. */
function sendTo(parts: Parts, { origin, budget }: CallerIdentity): NonNullable<Operation["send"]> {
  return ({ payment, event }) => {
    const connector = payment.openOperations.find(({ id }) => id === event.operationId)?.connector ?? "";
    const sent = parts.connectors.authorize(payment, { attemptId: event.operationId, connector, traceparent: origin.traceparent, budget });
    parts.crashAt("after_send");
    return sent;
  };
}

/** What an issuer has said in this call stays the answer when the next attempt does not reach one. */
function recordIn(parts: Parts, { origin }: CallerIdentity): NonNullable<Operation["record"]> {
  let earlier: EarlierDecline | undefined;
  return (payment, attemptId, outcome, { next, details }) => {
    const context = { nowMs: parts.now(), origin };
    const hasEnded = outcome.kind === "declined" || outcome.kind === "not_sent";
    if (next !== undefined && hasEnded && mayReroute(payment, attemptId)) {
      if (outcome.kind === "declined") earlier = { outcome, connector: findOpen(payment, attemptId)?.connector ?? "" };
      return { kind: "append", transition: rerouteAuthorization(payment, { attemptId, outcome, next, told: details }, context) };
    }
    const { authorizationLifetimeMs } = parts;
    return recordAuthorization(payment, { attemptId, outcome, earlier, told: details }, { ...context, authorizationLifetimeMs });
  };
}

type Judged = { readonly fraudCheck: FraudCheck } & (
  | { readonly kind: "blocked"; readonly reason: DeclineReason }
  | { readonly kind: "no_way"; readonly refusal: Extract<Decision, { kind: "refused" }>["refusal"] }
  | { readonly kind: "way"; readonly ranked: readonly string[]; readonly routing: string }
);

type Facts = { readonly payment: RoutedPayment; readonly guarded: GuardVerdict; readonly verdict: FraudCheck };

/** Fraud first, then the networks' rules, then the way: the first no is the answer. */
function judge(parts: Parts, { payment, guarded, verdict }: Facts): Judged {
  if (verdict.riskLevel === "blocked") return { kind: "blocked", reason: "fraud_blocked", fraudCheck: verdict };
  if (guarded.kind === "refused") {
    const fraudCheck = { ...verdict, reasons: [...verdict.reasons, guarded.reason] };
    return { kind: "blocked", reason: guardDeclines[guarded.reason], fraudCheck };
  }
  const decision = parts.router.decide(payment);
  const ranked = rankedProcessors(decision);
  if (ranked.length === 0) return { kind: "no_way", refusal: noWay(decision), fraudCheck: verdict };
  return { kind: "way", ranked, routing: storeDecision(decision), fraudCheck: verdict };
}

/** What a merchant is told of a try that the networks forbid: never this card again, or not now. */
const guardDeclines: Readonly<Record<GuardReason, DeclineReason>> = {
  network_category_1: "do_not_try_again",
  network_declines_per_day: "card_velocity_exceeded",
  network_declines_per_30_days: "card_velocity_exceeded",
};

/** Nothing is written: with processors that are down the merchant may try again at once, where none could take it he has to change something. */
function noWay({ candidates }: RoutingDecision): Extract<Decision, { kind: "refused" }>["refusal"] {
  // No candidate at all: none of the house's processors has its connector now, which no other card or currency changes.
  const isDown = candidates.length === 0 || candidates.some(({ reasons }) => reasons.length === 1 && reasons[0] === "breaker_open");
  if (isDown) return { code: "processor_unavailable", message: "no processor that takes this payment can be reached" };
  return { code: "payment_not_routable", message: `no processor takes this payment: ${whyNot(candidates)}` };
}

function whyNot(candidates: RoutingDecision["candidates"]): string {
  return candidates.map(({ processor, reasons }) => `${processor} (${reasons.join(", ")})`).join("; ");
}

async function screen(parts: Parts, ...question: Parameters<Parts["fraud"]["judge"]>): Promise<FraudCheck> {
  const verdict = await parts.fraud.judge(...question);
  parts.metrics.count("switch_fraud_decisions_total", { level: verdict.riskLevel });
  return verdict;
}
