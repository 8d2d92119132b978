/**
 * Plans over one stream, side by side: what each approves and costs, and what it gets back of what the first one loses.
 */
import { exactPerMinor } from "@florin/switch/src/domain/routing/index.ts";
import { type House, type Plan, replay, type Tally } from "./replay.ts";
import type { WorldPayment } from "./world-payment.ts";

/** What smart routing owes: percent of the first plan's losses, and percent of payments whose first processor is the cheapest eligible one. */
const recoveredPercentMin = 2;
const cheapestPercentMin = 99;

export type Figures = {
  readonly plan: Plan;
  readonly payments: number;
  /** Percent of payments. */
  readonly authorizationRate: number;
  /** Percent of payments approved at the second or third processor. */
  readonly cascaded: number;
  readonly unknown: number;
  readonly attemptsPerPayment: number;
  /** Minor units, all approved payments. */
  readonly feesMinor: bigint;
  /** Fees in basis points of what was approved. */
  readonly feeBps: number;
  /** Percent of payments whose first processor was the cheapest eligible one. */
  readonly cheapestFirst: number;
  /** Percent of what the first plan did not get approved; see `recoveredPercent`. */
  readonly recovered: number;
};

/** The first plan is the one that the others are measured against. */
export function comparePlans(stream: readonly WorldPayment[], house: House, plans: readonly Plan[]): readonly Figures[] {
  const tallies = plans.map((plan) => replay(stream, house, plan));
  return tallies.map((tally) => figuresOf(tally, tallies[0] ?? tally));
}

function figuresOf(tally: Tally, base: Tally): Figures {
  const percent = (count: number): number => Number(((100 * count) / tally.payments).toFixed(2));
  return {
    plan: tally.plan,
    payments: tally.payments,
    authorizationRate: percent(tally.approved),
    cascaded: percent(tally.cascaded),
    unknown: tally.unknown,
    attemptsPerPayment: Number((tally.attempts / tally.payments).toFixed(3)),
    feesMinor: tally.exactFees / exactPerMinor,
    feeBps: tally.approvedMinor === 0n ? 0 : Number((tally.exactFees * 100n) / tally.approvedMinor) / 100,
    cheapestFirst: percent(tally.cheapestFirst),
    recovered: Number(recoveredPercent(base, tally).toFixed(2)),
  };
}

/**
 * Percent of the payments that `base` did not get approved and `other` did, less those that it is the other way round for: of two plans that
 * lose different payments but as many, none recovers anything.
 */
export function recoveredPercent(base: Tally, other: Tally): number {
  let lost = 0;
  let net = 0;
  for (const [index, isApproved] of base.outcomes.entries()) {
    if (!isApproved) lost += 1;
    net += Number(other.outcomes[index] === true) - Number(isApproved);
  }
  return lost === 0 ? 0 : (100 * net) / lost;
}

/** A sentence for each plan that misses what it owes; the first plan owes nothing. */
export function missedGates(compared: readonly Figures[]): readonly string[] {
  return compared.slice(1).flatMap(({ plan, recovered, cheapestFirst }) => {
    const goesByApprovals = plan.strategy.kind === "rate" || plan.strategy.kind === "value";
    if (goesByApprovals && recovered < recoveredPercentMin)
      return [`MISSED: ${plan.name} recovers ${recovered} %, owes ${recoveredPercentMin} %`];
    const goesByCost = plan.strategy.kind === "cost";
    return goesByCost && cheapestFirst < cheapestPercentMin
      ? [`MISSED: ${plan.name} finds the cheapest for ${cheapestFirst} %, owes ${cheapestPercentMin} %`]
      : [];
  });
}

const columns: readonly (readonly [title: string, text: (figures: Figures) => string])[] = [
  ["plan", ({ plan }) => plan.name],
  ["payments", ({ payments }) => String(payments)],
  ["approved %", ({ authorizationRate }) => authorizationRate.toFixed(2)],
  ["by cascade %", ({ cascaded }) => cascaded.toFixed(2)],
  ["unknown", ({ unknown }) => String(unknown)],
  ["attempts", ({ attemptsPerPayment }) => attemptsPerPayment.toFixed(3)],
  ["fees, minor units", ({ feesMinor }) => String(feesMinor)],
  ["fees, bps", ({ feeBps }) => feeBps.toFixed(2)],
  ["cheapest first %", ({ cheapestFirst }) => cheapestFirst.toFixed(2)],
  ["recovered %", ({ recovered }) => recovered.toFixed(2)],
];

export function tableOf(compared: readonly Figures[]): string {
  const lines = [columns.map(([title]) => title), ...compared.map((figures) => columns.map(([, text]) => text(figures)))];
  return lines.map((line) => line.map((cell, index) => cell.padStart((columns[index]?.[0].length ?? 0) + 2)).join("")).join("\n");
}
