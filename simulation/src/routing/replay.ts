/**
 * Replays a stream of payments by one strategy: the switch's own routing, cascade and guardian, against the simulator's model of issuers instead of processors.
 *
 * The world answers each way the same whoever asks, so two strategies differ only in what they choose. Routing learns from the answers it got
 * itself, never from those it might have got.
 */
import { required } from "@florin/kernel";
import type { IssuerModel } from "@florin/simulator/src/domain/issuer-model.ts";
import {
  type AttemptNumber,
  attemptsMax,
  classOf,
  countsTowardsRate,
  createAuthorizationRates,
  type Decline,
  exactFee,
  historyOf,
  nextStep,
  type Processor,
  type RoutingDecision,
  rankedProcessors,
  regionOf,
  route,
  type Strategy,
  segmentOf,
} from "@florin/switch/src/domain/routing/index.ts";
import { answerOf, type Network, type WorldPayment } from "./world-payment.ts";

export type House = {
  readonly processors: readonly Processor[];
  readonly networks: Readonly<Record<string, Network>>;
  readonly issuers: IssuerModel;
};

export type Plan = {
  readonly name: string;
  readonly strategy: Strategy;
  /** 1: no cascade. */
  readonly attempts: 1 | typeof attemptsMax;
};

export type Tally = {
  readonly plan: Plan;
  payments: number;
  approved: number;
  /** Approved at the second or third processor. */
  cascaded: number;
  unknown: number;
  attempts: number;
  /** Ten-thousandths of a minor unit, of approved payments, for the cards as they are. Currencies are added as if they were one. */
  exactFees: bigint;
  approvedMinor: bigint;
  /** Payments whose first processor was the cheapest eligible one, by a comparison of its own. */
  cheapestFirst: number;
  /** Position in the stream → approved, for comparing two plans payment by payment. */
  readonly outcomes: boolean[];
};

export function replay(stream: readonly WorldPayment[], house: House, plan: Plan): Tally {
  const rates = createAuthorizationRates();
  const declines = new Map<string, Decline[]>();
  const tally: Tally = {
    plan,
    payments: 0,
    approved: 0,
    cascaded: 0,
    unknown: 0,
    attempts: 0,
    exactFees: 0n,
    approvedMinor: 0n,
    cheapestFirst: 0,
    outcomes: [],
  };
  for (const payment of stream) {
    const { request, atMs } = payment;
    const decision = route({
      request,
      processors: house.processors,
      rules: undefined,
      strategy: plan.strategy,
      health: () => "up",
      rates,
      nowMs: atMs,
    });
    const past = declines.get(payment.cardFingerprint) ?? [];
    declines.set(payment.cardFingerprint, past);
    const end = attempt({ payment, house, plan, rates, past }, decision);
    count(tally, { payment, house, end, first: rankedProcessors(decision)[0] });
  }
  return tally;
}

type Journey = {
  readonly payment: WorldPayment;
  readonly house: House;
  readonly plan: Plan;
  readonly rates: ReturnType<typeof createAuthorizationRates>;
  /** Declines of this card so far; grows. */
  readonly past: Decline[];
};
type End = { readonly kind: "approved" | "declined" | "unknown"; readonly processor: string; readonly attempts: number };

function attempt({ payment, house, plan, rates, past }: Journey, decision: RoutingDecision): End {
  const { request, atMs } = payment;
  const ranked = rankedProcessors(decision);
  const tried = new Set<string>();
  let processor = required(ranked[0], "a processor that takes the payment");
  for (let number = 1; number <= attemptsMax; number++) {
    tried.add(processor);
    const network = required(house.networks[processor], "the network to the processor");
    const outcome = answerOf({ payment, name: processor, network, issuers: house.issuers });
    const outcomeClass = classOf(outcome);
    const segment = segmentOf(request, regionOf(request.cardCountry, request.merchantCountry));
    if (countsTowardsRate(outcomeClass)) rates.record({ processor, segment, isApproved: outcome.kind === "approved" }, atMs);
    if (outcome.kind === "declined") past.push({ atMs, isCategoryOne: outcomeClass === "network_stop" });
    const step = nextStep({
      outcome,
      attempt: number as AttemptNumber,
      ranked,
      tried,
      isUp: () => true,
      cardHistory: historyOf(past, atMs),
    });
    if (step.kind === "stop" || number >= plan.attempts)
      return { kind: outcome.kind === "approved" || outcome.kind === "unknown" ? outcome.kind : "declined", processor, attempts: number };
    processor = step.processor;
  }
  throw new Error("the cascade ends within its attempts");
}

type Counted = { readonly payment: WorldPayment; readonly house: House; readonly end: End; readonly first: string | undefined };

function count(tally: Tally, { payment, house, end, first }: Counted): void {
  tally.payments += 1;
  tally.attempts += end.attempts;
  tally.outcomes.push(end.kind === "approved");
  if (first !== undefined && first === cheapest(payment, house)) tally.cheapestFirst += 1;
  if (end.kind === "unknown") tally.unknown += 1;
  if (end.kind !== "approved") return;
  tally.approved += 1;
  if (end.attempts > 1) tally.cascaded += 1;
  tally.exactFees += required(feeAsCharged(payment, house, end.processor), "a price of the processor that approved");
  tally.approvedMinor += payment.request.amountMinor;
}

/** For the card as it is: an acquirer bills what the network tells it, not what our table of BINs believed. */
function feeAsCharged({ request, card }: WorldPayment, house: House, name: string): bigint | undefined {
  const processor = required(
    house.processors.find((one) => one.name === name),
    "a processor of the house",
  );
  return exactFee(processor.feeTable, { ...request, ...card });
}

/** The cheapest that can take the payment, by what it will charge; found by looking at all, without the switch's eligibility and ranking. */
function cheapest(payment: WorldPayment, house: House): string {
  const { request } = payment;
  const has = (set: ReadonlySet<string> | "any", code: string): boolean => set === "any" || set.has(code);
  let best: { readonly name: string; readonly fee: bigint } | undefined;
  for (const { name, currencies, networks, cardCountries, amounts, capabilities } of house.processors) {
    const range = amounts.get(request.currency);
    const isFit =
      has(currencies, request.currency) &&
      has(networks, request.network) &&
      has(cardCountries, request.cardCountry) &&
      (range === undefined || (request.amountMinor >= range.minMinor && request.amountMinor <= range.maxMinor)) &&
      request.needs.every((need) => capabilities.has(need));
    const fee = isFit ? feeAsCharged(payment, house, name) : undefined;
    if (fee !== undefined && (best === undefined || fee < best.fee)) best = { name, fee };
  }
  return required(best, "a processor that takes the payment").name;
}
