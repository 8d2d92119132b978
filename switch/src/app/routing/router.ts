/**
 * Routing at work: the question of each payment to the pure choice of domain/routing, with what is known now of processors and settings, and
 * what is learned from their answers.
 *
 * Nothing is sent here. What is learned is this process's own and may be lost (authorization-rates.ts).
 */
import type { Outcome, Payment } from "../../domain/payment/index.ts";
import {
  type AuthorizationRates,
  classOf,
  countsTowardsRate,
  type Funding,
  type Health,
  type HouseSettings,
  type RoutingDecision,
  type RoutingRequest,
  regionOf,
  route,
  segmentOf,
} from "../../domain/routing/index.ts";

export interface Router {
  /** How this payment would go now. The same question gets the same answer while settings, health and rates stay. */
  decide(payment: RoutedPayment): RoutingDecision;
  /** Whether an authorization would be sent to it now: the house still has it, and it is not down. */
  isUp(processor: string): boolean;
  /** Payments went elsewhere although these are ranked, because they are down by now. */
  passedOver(processors: readonly string[]): void;
  /** Counts what an issuer said by way of a processor; other outcomes say nothing about approval. */
  learn(payment: RoutedPayment, processor: string, outcome: Outcome): void;
}

/** What routing reads of a payment, before its first row has its card. */
export type RoutedPayment = Pick<Payment, "id" | "merchantId" | "mode" | "amount" | "currency" | "card">;

export function createRouter(o: {
  readonly settings: () => HouseSettings;
  /** Of authorizations. */
  readonly health: (processor: string) => Health;
  /** A payment that it could take goes elsewhere, because it is down. */
  readonly passedBy: (processor: string) => void;
  /** What issuers say to payments in test mode says nothing about live ones. Health is shared: both go over the same connections. */
  readonly rates: Readonly<Record<Payment["mode"], AuthorizationRates>>;
  /** Unix milliseconds. */
  readonly now: () => number;
}): Router {
  return {
    decide(payment) {
      const house = o.settings();
      const { processors } = house;
      const { rules, strategy } = house.merchant(payment.merchantId);
      const request = requestOf(payment, house);
      const decision = route({ request, processors, rules, strategy, health: o.health, rates: o.rates[payment.mode], nowMs: o.now() });
      for (const { processor, reasons } of decision.candidates) if (isOnlyDown(reasons)) o.passedBy(processor);
      return decision;
    },
    passedOver: (processors) => processors.forEach(o.passedBy),
    isUp: (processor) => o.settings().processors.some(({ name }) => name === processor) && o.health(processor) !== "down",
    learn(payment, processor, outcome) {
      const answer = classOf(outcome);
      if (!countsTowardsRate(answer)) return;
      const request = requestOf(payment, o.settings());
      const segment = segmentOf(request, regionOf(request.cardCountry, request.merchantCountry));
      o.rates[payment.mode].record({ processor, segment, isApproved: answer === "approved" }, o.now());
    },
  };
}

function isOnlyDown(reasons: RoutingDecision["candidates"][number]["reasons"]): boolean {
  return reasons.length === 1 && reasons[0] === "breaker_open";
}

/** The vault knows brand and kind of a card; where it was issued the house's table knows, and its kind where the vault does not. */
function requestOf({ id, merchantId, amount, currency, card }: RoutedPayment, { merchant, issuers }: HouseSettings): RoutingRequest {
  const { country, needs } = merchant(merchantId);
  const issuer = card && issuers.issuerOf(card.bin);
  const funding = fundingOf(card?.funding);
  return {
    paymentId: id,
    merchantId,
    merchantCountry: country,
    amountMinor: amount,
    currency,
    network: card?.brand ?? "",
    cardCountry: issuer?.country ?? "",
    funding: funding === "unknown" ? (issuer?.funding ?? "unknown") : funding,
    needs,
  };
}

const fundings: ReadonlySet<string> = new Set<Funding>(["credit", "debit", "prepaid"]);

function fundingOf(word: string | undefined): Funding {
  return word !== undefined && fundings.has(word) ? (word as Funding) : "unknown";
}
