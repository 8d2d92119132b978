/** The time budget of a tier that does not answer at once. */
import type { FraudTier, TierFinding } from "../../domain/fraud/index.ts";

/** A tier that overruns its budget or fails is left out, and the verdict says so: the payment is reviewed afterwards. */
export async function withinBudget(finding: Promise<TierFinding>, tier: Pick<FraudTier, "name" | "budgetMs">): Promise<TierFinding> {
  let timer: NodeJS.Timeout | undefined;
  const leftOut: TierFinding = { score: 0, isBlocked: false, reasons: [`tier_left_out_${tier.name}`] };
  const overrun = new Promise<TierFinding>((resolve) => {
    timer = setTimeout(() => resolve(leftOut), tier.budgetMs);
  });
  try {
    return await Promise.race([finding.catch(() => leftOut), overrun]);
  } finally {
    clearTimeout(timer);
  }
}
