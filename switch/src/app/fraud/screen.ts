/**
 * Runs the fraud tiers over a payment within their time budgets. Tier one decides on the loop; slower tiers get the time that is left.
 *
 * Counters come from Redis with the claim; when Redis is away they are counted here, in this process alone: better a coarse count than none.
 */

import {
  type FraudSignals,
  type FraudTier,
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

export type Screened = {
  readonly merchantId: string;
  readonly cardFingerprint: string;
  readonly bin: string;
  readonly customerIp: string;
  readonly amount: bigint;
  readonly currency: string;
};

export interface FraudScreen {
  /** The counters that this attempt adds one to, in the order of `velocityWindows`; windows without a subject are left out. */
  counters(who: Screened, nowMs: number): readonly Counter[];
  /** `counts` as Redis gave them for these counters, or undefined when it is away. */
  judge(who: Screened, counts: readonly number[] | undefined, nowMs: number): Promise<FraudCheck>;
}

const localCountersMax = 100_000;

export function createFraudScreen(o: { readonly tiers: readonly FraudTier[] }): FraudScreen {
  const local = new BoundedCounters(localCountersMax);
  return {
    counters: (who, nowMs) =>
      windowsOf(who).map(({ window, subject }) => ({ name: velocityKey(window, subject, nowMs), windowMs: window.windowMs })),
    async judge(who, counts, nowMs) {
      const known = counts ?? windowsOf(who).map(({ window, subject }) => local.increment(velocityKey(window, subject, nowMs)));
      const signals: FraudSignals = { ...who, velocity: velocityOf(who, known) };
      const findings = [];
      for (const tier of o.tiers) {
        const finding = tier.evaluate(signals);
        const settled = finding instanceof Promise ? await withinBudget(finding, tier) : finding;
        findings.push(settled);
        if (settled.isBlocked) break;
      }
      return verdictOf(findings);
    },
  };
}

function windowsOf(who: Screened) {
  const subjects = velocitySubjects(who);
  return velocityWindows.map((window) => ({ window, subject: subjects[window.name] })).filter(({ subject }) => subject !== "");
}

function velocityOf(who: Screened, counts: readonly number[]): VelocityCounts {
  const velocity = { cardPerHour: 0, cardPerDay: 0, ipPerHour: 0, merchantPerMinute: 0 };
  for (const [index, { window }] of windowsOf(who).entries()) velocity[window.name] = counts[index] ?? 0;
  return velocity;
}
