/**
 * Fraud tiers: each looks at the signals within a time budget and adds to the verdict. The first tier (block lists, velocity) is pure
 * and runs on the event loop; rules and models follow as tiers of the same shape, whose slow ones run on worker threads.
 */
import type { FraudCheck, RiskLevel } from "../payment/index.ts";
import { type BlockList, blocksHit } from "./block-list.ts";
import type { FraudSignals } from "./signals.ts";
import { type VelocityLimits, velocityWindows } from "./velocity.ts";

/** What one tier found. `score` is added up over the tiers and capped at 100; `isBlocked` ends the matter. */
export type TierFinding = { readonly score: number; readonly isBlocked: boolean; readonly reasons: readonly string[] };

export type FraudTier = {
  readonly name: string;
  /** Milliseconds this tier may take; one that overruns is skipped and the payment is marked for review. 0: runs on the loop, at once. */
  readonly budgetMs: number;
  readonly evaluate: (signals: FraudSignals) => TierFinding | Promise<TierFinding>;
};

/** A tier that answers at once, on the event loop. */
export type ImmediateTier = Omit<FraudTier, "evaluate"> & { readonly evaluate: (signals: FraudSignals) => TierFinding };

/** Scores from which a payment counts as elevated and as high. */
const elevatedFrom = 30;
const highFrom = 65;
const blockedScore = 100;
const raisedScore = 35;

/** Tier one. `blockList` and `limits` are asked for at each call, because they change while the process runs. */
export function listsAndVelocity(o: { readonly blockList: () => BlockList; readonly limits: () => VelocityLimits }): ImmediateTier {
  return {
    name: "lists_and_velocity",
    budgetMs: 0,
    evaluate(signals) {
      const reasons: string[] = blocksHit(o.blockList(), signals).map((kind) => `blocked_${kind}`);
      let isBlocked = reasons.length > 0;
      let score = 0;
      const limits = o.limits();
      for (const { name } of velocityWindows) {
        const count = signals.velocity[name];
        const limit = limits[name];
        if (count >= limit.blockedFrom) {
          isBlocked = true;
          reasons.push(`velocity_${snakeCase(name)}`);
        } else if (count >= limit.raisedFrom) {
          score += raisedScore;
          reasons.push(`velocity_${snakeCase(name)}`);
        }
      }
      return { score: isBlocked ? blockedScore : score, isBlocked, reasons };
    },
  };
}

/** One verdict from what the tiers found. */
export function verdictOf(findings: readonly TierFinding[]): FraudCheck {
  let score = 0;
  let isBlocked = false;
  const reasons: string[] = [];
  for (const finding of findings) {
    score += finding.score;
    isBlocked ||= finding.isBlocked;
    reasons.push(...finding.reasons);
  }
  const riskScore = isBlocked ? blockedScore : Math.min(score, blockedScore - 1);
  return { riskScore, riskLevel: isBlocked ? "blocked" : levelOf(riskScore), reasons };
}

function levelOf(score: number): RiskLevel {
  if (score >= highFrom) return "high";
  return score >= elevatedFrom ? "elevated" : "low";
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
