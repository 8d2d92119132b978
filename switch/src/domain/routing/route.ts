/**
 * Chooses the way of a payment: who can take it, what the merchant's rules say, who is up, what it costs and how likely it is approved.
 *
 * The answer is the same for the same question: what is drawn is drawn from the payment's id. Every processor of the house is in the
 * answer, with its reasons. Nothing is sent, counted or changed here.
 */
import { assert } from "@florin/kernel";
import type { AuthorizationRates } from "./authorization-rates.ts";
import type { Candidate, Exclusion, Ranking, RoutingDecision, StrategyKind } from "./decision.ts";
import { exclusionsOf } from "./eligibility.ts";
import { exactFee, exactPerMinor, type FeeTable, feeMinorOf, feeTableOf } from "./fees.ts";
import { regionOf } from "./interchange.ts";
import { drawBps, drawIndex } from "./payment-hash.ts";
import { type ProcessorProfile, processorsMax } from "./processor-profile.ts";
import type { RoutingRequest } from "./routing-request.ts";
import { evaluateRules } from "./rules/evaluate-rules.ts";
import type { MerchantRules, RuleLeaf } from "./rules/rule-tree.ts";
import { segmentOf } from "./segment.ts";

/** A profile with its fees made ready. */
export type Processor = ProcessorProfile & { readonly feeTable: FeeTable };

/** "probing": the breaker lets single payments through to see whether the processor is back. It keeps its place; the breaker counts. */
export type Health = "up" | "probing" | "down";

export type Strategy = {
  readonly kind: StrategyKind;
  /** Share of payments, basis points, whose first candidate is drawn; only strategies that learn rates draw. */
  readonly exploreBps: number;
};

export type RouteContext = {
  readonly request: RoutingRequest;
  /** In the order of the house, which decides between equals. */
  readonly processors: readonly Processor[];
  /** Undefined: the merchant has none. */
  readonly rules: MerchantRules | undefined;
  readonly strategy: Strategy;
  readonly health: (processor: string) => Health;
  readonly rates: Pick<AuthorizationRates, "estimate">;
  readonly nowMs: number;
};

/** Below this many answers in the window an estimate is marked. */
const fewSamples = 30;

/** Asserts what a decision relies on: at most `processorsMax` processors, each name once, prices that make sense. */
export function makeProcessors(profiles: readonly ProcessorProfile[]): readonly Processor[] {
  assert(profiles.length <= processorsMax, "no more processors than a decision can list");
  assert(new Set(profiles.map(({ name }) => name)).size === profiles.length, "every processor has a name of its own");
  return profiles.map((profile) => ({ ...profile, feeTable: feeTableOf(profile.fees) }));
}

/** One ranked processor while it is being compared. */
type Contender = {
  readonly processor: string;
  /** From the merchant's rules; lower comes first whatever the strategy says. */
  readonly group: number;
  /** Higher is better; undefined, when the strategy asks for a price and there is none, comes after all others of the group. */
  readonly score: bigint | undefined;
  readonly reasons: Ranking[];
  readonly feeMinor: bigint | undefined;
  readonly rateBps: number | undefined;
};

export function route(context: RouteContext): RoutingDecision {
  const { request, rules, strategy } = context;
  const leaf = rules && evaluateRules(rules, request);
  const ranked: Contender[] = [];
  const excluded: Candidate[] = [];
  const segment = segmentOf(request, regionOf(request.cardCountry, request.merchantCountry));
  for (const processor of context.processors) {
    const reasons = exclusionsNow(context, processor, leaf);
    if (reasons.length === 0) ranked.push(contenderOf(context, { processor, leaf, segment }));
    else excluded.push({ processor: processor.name, rank: 0, reasons, feeMinor: undefined, rateBps: undefined });
  }
  // Stable: between equals the order of the house stays.
  ranked.sort(compare);
  const isExploration = explore(ranked, request, strategy);
  return {
    strategy: strategy.kind,
    rulesVersion: rules?.version ?? 0,
    rulePath: leaf?.path ?? "",
    isExploration,
    candidates: [...ranked.map(candidateOf), ...excluded],
  };
}

function exclusionsNow({ request, health }: RouteContext, processor: Processor, leaf: RuleLeaf | undefined): readonly Exclusion[] {
  const lasting = exclusionsOf(processor, request);
  const isRuledOut = leaf?.others === "never" && !leaf.processors.includes(processor.name);
  const isDown = health(processor.name) === "down";
  if (!isRuledOut && !isDown) return lasting;
  return [...lasting, ...(isRuledOut ? (["excluded_by_rule"] as const) : []), ...(isDown ? (["breaker_open"] as const) : [])];
}

const criteria: Readonly<Record<StrategyKind, Ranking>> = { listed: "by_list", cost: "by_fee", rate: "by_rate", value: "by_value" };
/** Only these ask for an estimate, and only these have something to learn from a draw. */
const learns: Readonly<Record<StrategyKind, boolean>> = { listed: false, cost: false, rate: true, value: true };

type Placing = { readonly processor: Processor; readonly leaf: RuleLeaf | undefined; readonly segment: string };

function contenderOf({ request, strategy, health, rates, nowMs }: RouteContext, { processor, leaf, segment }: Placing): Contender {
  const place = leaf === undefined ? -1 : leaf.processors.indexOf(processor.name);
  const isPlaced = leaf?.kind === "priority" && place >= 0;
  const reasons: Ranking[] = [isPlaced ? "by_rule" : criteria[strategy.kind]];
  const fee = exactFee(processor.feeTable, request);
  if (fee === undefined) reasons.push("fee_unknown");
  const estimate = learns[strategy.kind] ? rates.estimate(processor.name, segment, nowMs) : undefined;
  if (estimate !== undefined && estimate.samples < fewSamples) reasons.push("few_samples");
  if (health(processor.name) === "probing") reasons.push("breaker_probing");
  return {
    processor: processor.name,
    group: isPlaced ? place : place < 0 ? Number.MAX_SAFE_INTEGER : 0,
    score: scores[strategy.kind](request, fee, estimate?.rateBps ?? 0),
    reasons,
    feeMinor: fee === undefined ? undefined : feeMinorOf(fee),
    rateBps: estimate?.rateBps,
  };
}

type Score = (request: RoutingRequest, fee: bigint | undefined, rateBps: number) => bigint | undefined;

const scores: Readonly<Record<StrategyKind, Score>> = {
  listed: () => 0n,
  cost: (_request, fee) => (fee === undefined ? undefined : -fee),
  rate: (_request, _fee, rateBps) => BigInt(rateBps),
  value: ({ amountMinor }, fee, rateBps) => (fee === undefined ? undefined : worthOf(amountMinor * exactPerMinor, fee, BigInt(rateBps))),
};

const wholeBps = 10_000n;

/** What is left of the amount, times how likely it is. Where the fee eats it all, a smaller chance of a loss is no advantage: what counts is the sale. */
function worthOf(amount: bigint, fee: bigint, rateBps: bigint): bigint {
  return fee < amount ? rateBps * (amount - fee) : rateBps * amount - wholeBps * fee;
}

function compare(left: Contender, right: Contender): number {
  if (left.group !== right.group) return left.group - right.group;
  if (left.score === right.score) return 0;
  if (left.score === undefined || right.score === undefined) return left.score === undefined ? 1 : -1;
  return left.score > right.score ? -1 : 1;
}

/**
 * Moves a drawn member of the first group to the front, for a small share of payments: a processor that is never asked is never known to have
 * become better. True when the draw put another one first. What the merchant's rules order is not drawn.
 */
function explore(ranked: Contender[], request: RoutingRequest, { kind, exploreBps }: Strategy): boolean {
  if (!learns[kind] || drawBps(request.paymentId, "explore") >= exploreBps) return false;
  const group = ranked[0]?.group;
  const others = ranked.findIndex((one) => one.group !== group);
  const drawn = drawIndex(request.paymentId, "explored", Math.max(1, others < 0 ? ranked.length : others));
  if (drawn === 0) return false;
  const [chosen] = ranked.splice(drawn, 1) as [Contender];
  chosen.reasons.push("explored");
  ranked.unshift(chosen);
  return true;
}

function candidateOf({ processor, reasons, feeMinor, rateBps }: Contender, index: number): Candidate {
  return { processor, rank: index + 1, reasons, feeMinor, rateBps };
}
