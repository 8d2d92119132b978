/**
 * Runs the fraud tiers over an attempt within their time budgets. Tier one decides on the loop; slower tiers get the time they ask for.
 *
 * Counters come from Redis with the claim; when Redis is away they are counted here, in this process alone: better a coarse count than none.
 */
import {
  type FraudSignals,
  type FraudTier,
  type TierFinding,
  type VelocityCounts,
  velocityKey,
  velocitySubjects,
  velocityWindows,
  verdictOf,
} from "../../domain/fraud/index.ts";
import type { FraudCheck } from "../../domain/payment/index.ts";
import type { Counter } from "../../store/claims.ts";
import { BoundedCounters } from "./bounded-counters.ts";
import { withinBudget } from "./budget.ts";

/** Who is screened; the same windows are counted for the same subjects. */
export type Screened = {
  readonly merchantId: string;
  readonly cardFingerprint: string;
  readonly bin: string;
  /** Empty when the merchant sent none. */
  readonly customerIp: string;
};

export interface FraudScreen {
  /** The counters that this attempt adds one to; windows without a subject are left out. */
  counters(who: Screened, nowMs: number): readonly Counter[];
  /** `counts`: what Redis counted for these counters, in their order; undefined when it is away. Then this call counts. */
  judge(
    who: Screened,
    what: { readonly amount: bigint; readonly currency: string },
    o: { readonly counts: readonly number[] | undefined; readonly nowMs: number },
  ): Promise<FraudCheck>;
}

const localCountersMax = 100_000;

export function createFraudScreen(o: { readonly tiers: readonly FraudTier[] }): FraudScreen {
  const local = new BoundedCounters(localCountersMax);
  return {
    counters: (who, nowMs) =>
      windowsOf(who).map(({ window, subject }) => ({ name: velocityKey(window, subject, nowMs), windowMs: window.windowMs })),
    async judge(who, { amount, currency }, { counts, nowMs }) {
      const windows = windowsOf(who);
      const known = counts ?? windows.map(({ window, subject }) => local.increment(velocityKey(window, subject, nowMs)));
      const velocity: Record<keyof VelocityCounts, number> = { cardPerHour: 0, cardPerDay: 0, ipPerHour: 0, merchantPerMinute: 0 };
      for (const [index, { window }] of windows.entries()) velocity[window.name] = known[index] ?? 0;
      return verdictOf(await findingsOf(o.tiers, { ...who, amount, currency, velocity }));
    },
  };
}

/** In order; a block ends the matter. */
async function findingsOf(tiers: readonly FraudTier[], signals: FraudSignals): Promise<readonly TierFinding[]> {
  const findings: TierFinding[] = [];
  for (const tier of tiers) {
    const finding = tier.evaluate(signals);
    const settled = finding instanceof Promise ? await withinBudget(finding, tier) : finding;
    findings.push(settled);
    if (settled.isBlocked) break;
  }
  return findings;
}

function windowsOf(who: Screened) {
  const subjects = velocitySubjects(who);
  return velocityWindows.map((window) => ({ window, subject: subjects[window.name] })).filter(({ subject }) => subject !== "");
}
