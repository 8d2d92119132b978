/**
 * Goes from one attempt to the next within one call: what domain/routing/cascade.ts decides, with the card's past and the time that is left.
 *
 * A decline is counted before it is recorded, so that no later payment of the card can overlook it.
 */
import { AppError, makeId } from "@florin/kernel";
import type { CallBudget } from "@florin/runtime/resilience";
import { findOpen, type Outcome, type Transition } from "../../domain/payment/index.ts";
import {
  type AttemptNumber,
  type GuardReason,
  isGuardReason,
  isWorthAnotherTry,
  nextStep,
  type StopReason,
} from "../../domain/routing/index.ts";
import type { GoneOn } from "../operation.ts";
import type { Parts } from "../parts.ts";
import type { NetworkGuard } from "./network-guard.ts";

export type Cascade = (intent: Transition, outcome: Outcome) => Promise<GoneOn>;

/** Why nobody else was asked where another might have been: shown with the payment. */
type Stop = "attempts_used" | "no_time" | "decline_not_counted" | "past_unknown" | "no_candidate" | GuardReason;

const isAnswer: GoneOn = { next: undefined, details: {} };
const stopped = (stop: Stop, passedOver: readonly string[] = []): GoneOn => ({
  next: undefined,
  details: { stopped: stop, ...toldOf(passedOver) },
});
const toldOf = (passedOver: readonly string[]) => (passedOver.length === 0 ? undefined : { passed_over: passedOver.join(",") });

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
    const isCounted = await isNoted(parts, o.guard, outcome, operationId);
    const ranked = o.ranked();
    // Mostly there is nowhere to go, and then nothing is asked for or told.
    if (!isWorthAnotherTry(outcome, 1) || ranked.every((one) => tried.has(one))) return isAnswer;
    if (!isCounted) return stopped("decline_not_counted");
    if (!isWorthAnotherTry(outcome, attempt) || attempt >= parts.settings().limits.cascadeAttemptsMax) {
      parts.metrics.count("switch_cascade_steps_total", { step: "attempts_used" });
      return stopped("attempts_used");
    }
    if (!isTimeLeft(parts, o)) return stopped("no_time");
    try {
      const step = nextStep({ outcome, attempt, ranked, tried, isUp: parts.router.isUp, cardHistory: await o.guard.past() });
      parts.router.passedOver(step.passedOver);
      if (step.kind === "stop") {
        const stop = stopOf(step.reason);
        parts.metrics.count("switch_cascade_steps_total", { step: stop });
        return stopped(stop, step.passedOver);
      }
      parts.metrics.count("switch_cascade_steps_total", { step: "next" });
      const next = { attemptId: makeId("attempt", parts.now(), parts.random(10)), connector: step.processor };
      return { next, details: { ...toldOf(step.passedOver) } };
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      // The database is away. The outcome that is known is worth more than another try.
      parts.metrics.count("switch_cascade_steps_total", { step: "history_unavailable" });
      return stopped("past_unknown");
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
function isTimeLeft(parts: Parts, { startedAtMs, budget }: Times): boolean {
  if (budget?.canBegin() === false) return false;
  return parts.timing.monotonicMs() - startedAtMs <= parts.settings().limits.cascadeWithinMs;
}

/** Where another try was worth it, nothing else can stop it. */
function stopOf(reason: StopReason) {
  return reason === "no_candidate" || isGuardReason(reason) ? reason : "attempts_used";
}
