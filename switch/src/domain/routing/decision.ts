/**
 * The answer of routing: every processor that was looked at, in the order of choice, each with its reasons. It is stored with the attempt's
 * intent and shown to the merchant, so it holds words of closed lists and numbers, nothing of the card.
 */
import { processorsMax } from "./processor-profile.ts";

/** Why a processor cannot take this payment now. */
export const exclusions = [
  "currency_not_supported",
  "network_not_supported",
  "country_not_supported",
  "amount_too_small",
  "amount_too_large",
  "capability_missing",
  "excluded_by_rule",
  "breaker_open",
] as const;
export type Exclusion = (typeof exclusions)[number];

/** What gave a processor its place, and what is worth knowing about it. */
export const rankings = [
  "by_rule",
  "by_list",
  "by_fee",
  "by_rate",
  "by_value",
  "explored",
  "breaker_probing",
  "fee_unknown",
  "few_samples",
] as const;
export type Ranking = (typeof rankings)[number];
export type Reason = Exclusion | Ranking;

/**
 * What orders the processors that the rules leave open: the house's list, the lowest fee, the best expected share of approvals, or the best
 * expected value, which is that share of (amount − fee).
 */
export const strategyKinds = ["listed", "cost", "rate", "value"] as const;
export type StrategyKind = (typeof strategyKinds)[number];

export type Candidate = {
  readonly processor: string;
  /** From 1 in the order of choice; 0: excluded. */
  readonly rank: number;
  readonly reasons: readonly Reason[];
  /** What an approval would cost, minor units of the payment's currency; undefined when excluded or without a price for this currency. */
  readonly feeMinor: bigint | undefined;
  /** Expected share of approvals in basis points, 0–10,000; undefined when excluded or when the strategy did not ask. */
  readonly rateBps: number | undefined;
};

export type RoutingDecision = {
  readonly strategy: StrategyKind;
  /** Version of the merchant's rules; 0: the merchant has none. */
  readonly rulesVersion: number;
  /** Which leaf of the rules spoke, for example "rules.use.split[1].to"; empty without rules. */
  readonly rulePath: string;
  /** The first candidate was drawn to learn about it, not because it is the best. */
  readonly isExploration: boolean;
  /** The ranked ones first, in their order; then the excluded ones. */
  readonly candidates: readonly Candidate[];
};

/** The processors to try, best first; empty when none can take the payment. */
export function rankedProcessors(decision: RoutingDecision): readonly string[] {
  return decision.candidates.filter(({ rank }) => rank > 0).map(({ processor }) => processor);
}

type StoredCandidate = readonly [processor: string, rank: number, reasons: readonly Reason[], feeMinor: string, rateBps: number];
type StoredDecision = readonly [
  form: 1,
  strategy: StrategyKind,
  rulesVersion: number,
  rulePath: string,
  isExploration: boolean,
  candidates: readonly StoredCandidate[],
];

/** One line of JSON for the event's details, without names: it is written with every payment. `readDecision` reads it back. */
export function storeDecision(decision: RoutingDecision): string {
  const candidates = decision.candidates.map(
    ({ processor, rank, reasons, feeMinor, rateBps }): StoredCandidate => [
      processor,
      rank,
      reasons,
      feeMinor === undefined ? "" : feeMinor.toString(),
      rateBps ?? -1,
    ],
  );
  const { strategy, rulesVersion, rulePath, isExploration } = decision;
  return JSON.stringify([1, strategy, rulesVersion, rulePath, isExploration, candidates] satisfies StoredDecision);
}

const reasonWords: ReadonlySet<unknown> = new Set<Reason>([...exclusions, ...rankings]);
const strategyWords: ReadonlySet<unknown> = new Set<StrategyKind>(strategyKinds);

/** Undefined when the text is none of ours: a later release may have written it, and a timeline is shown without it rather than not at all. */
export function readDecision(text: string): RoutingDecision | undefined {
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isStoredDecision(stored)) return undefined;
  const [, strategy, rulesVersion, rulePath, isExploration, candidates] = stored;
  return { strategy, rulesVersion, rulePath, isExploration, candidates: candidates.map(candidateOf) };
}

function candidateOf([processor, rank, reasons, feeMinor, rateBps]: StoredCandidate): Candidate {
  return {
    processor,
    rank,
    reasons,
    feeMinor: feeMinor === "" ? undefined : BigInt(feeMinor),
    rateBps: rateBps < 0 ? undefined : rateBps,
  };
}

function isStoredDecision(stored: unknown): stored is StoredDecision {
  if (!Array.isArray(stored) || stored.length !== 6 || stored[0] !== 1) return false;
  const [, strategy, rulesVersion, rulePath, isExploration, candidates] = stored as readonly unknown[];
  return (
    strategyWords.has(strategy) &&
    Number.isSafeInteger(rulesVersion) &&
    typeof rulePath === "string" &&
    typeof isExploration === "boolean" &&
    Array.isArray(candidates) &&
    candidates.length <= processorsMax &&
    candidates.every(isStoredCandidate)
  );
}

function isStoredCandidate(stored: unknown): stored is StoredCandidate {
  if (!Array.isArray(stored) || stored.length !== 5) return false;
  const [processor, rank, reasons, feeMinor, rateBps] = stored as readonly unknown[];
  return (
    typeof processor === "string" &&
    Number.isSafeInteger(rank) &&
    Array.isArray(reasons) &&
    reasons.every((reason) => reasonWords.has(reason)) &&
    typeof feeMinor === "string" &&
    /^\d*$/.test(feeMinor) &&
    Number.isSafeInteger(rateBps)
  );
}
