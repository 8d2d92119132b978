/**
 * Goes from one attempt to the next within one call: what domain/routing/cascade.ts decides, with the card's past and the time that is left.
 *
 * A decline is counted before it is recorded, so that no later payment of the card can overlook it.
 */
import { AppError, makeId } from "@florin/kernel";
import type { CallBudget } from "@florin/runtime/resilience";
import { findOpen, type Outcome, type Transition } from "../../domain/payment/index.ts";
import { type AttemptNumber, type CascadeStep, isGuardReason, isWorthAnotherTry, nextStep } from "../../domain/routing/index.ts";
import type { NextTry } from "../operation.ts";
import type { Parts } from "../parts.ts";
import type { NetworkGuard } from "./network-guard.ts";

export type Cascade = (intent: Transition, outcome: Outcome) => Promise<NextTry | undefined>;

/** `ranked`: the decision's processors, best first. `startedAtMs`: of the call, by the clock that never jumps. */
export function startCascade(
  parts: Parts,
  o: {
    readonly guard: NetworkGuard;
    readonly ranked: () => readonly string[];
    readonly startedAtMs: number;
    /** How long the caller waits. */
    readonly budget: CallBudget | undefined;
  },
): Cascade {
  const tried = new Set<string>();
  return async (intent, outcome) => {
    const { operationId } = intent.event;
    const connector = findOpen(intent.payment, operationId)?.connector ?? "";
    tried.add(connector);
    parts.router.learn(intent.payment, connector, outcome);
    const attempt = tried.size as AttemptNumber;
    if (!(await isNoted(parts, o.guard, outcome, operationId))) return undefined;
    try {
      if (!isWorthAnotherTry(outcome, attempt) || !isTimeLeft(parts, attempt, o)) return undefined;
      const ranked = o.ranked();
      // Mostly there is nowhere to go, and then the past is not asked for.
      if (ranked.every((one) => tried.has(one))) return undefined;
      const step = nextStep({ outcome, attempt, ranked, tried, isUp: parts.router.isUp, cardHistory: await o.guard.past() });
      parts.metrics.count("switch_cascade_steps_total", { step: wordOf(step) });
      return step.kind === "stop" ? undefined : { attemptId: makeId("attempt", parts.now(), parts.random(10)), connector: step.processor };
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      // The database is away. The outcome that is known is worth more than another try.
      parts.metrics.count("switch_cascade_steps_total", { step: "history_unavailable" });
      return undefined;
    }
  };
}

/** False: the database stays away. The card's past lacks this decline from now on, which is counted, and no next try is sent on a past that is not known. */
async function isNoted(parts: Parts, guard: NetworkGuard, outcome: Outcome, attemptId: string): Promise<boolean> {
  try {
    await guard.note(outcome, attemptId);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    parts.metrics.count("switch_declines_uncounted_total");
    return false;
  }
}

type Times = { readonly startedAtMs: number; readonly budget: CallBudget | undefined };

/** Of the house, and of the caller: an attempt that could not be sent any more would only bury what the issuer has said. */
function isTimeLeft(parts: Parts, attempt: number, { startedAtMs, budget }: Times): boolean {
  const { cascadeAttemptsMax, cascadeWithinMs } = parts.settings().limits;
  if (budget?.canBegin() === false) return false;
  return attempt < cascadeAttemptsMax && parts.timing.monotonicMs() - startedAtMs <= cascadeWithinMs;
}

/** Where another try was worth it, nothing else can stop it. */
function wordOf(step: CascadeStep) {
  if (step.kind === "next") return "next";
  const { reason } = step;
  return reason === "no_candidate" || isGuardReason(reason) ? reason : "attempts_used";
}
