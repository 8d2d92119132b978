/** Streams of payments to replay, made from a seed. */
import { makeId } from "@florin/kernel";
import type { IssuerModel } from "@florin/simulator/src/domain/issuer-model.ts";
import type { Funding } from "@florin/switch/src/domain/routing/index.ts";
import { createRandom, type Random } from "../engine/random.ts";
import { reasonOf, type WorldPayment } from "./world-payment.ts";

const startMs = Date.UTC(2026, 0, 15);
const dayMs = 86_400_000;
/** What the switch is told of a card comes from a table of BINs that is never quite right. */
const wrongFundingShare = 0.004;
const returningShare = 0.1;

const networks = ["visa", "visa", "visa", "visa", "visa", "mastercard", "mastercard", "mastercard", "mastercard", "amex"] as const;
const countries = ["DE", "DE", "DE", "DE", "DE", "FR", "NL", "ES", "IT", "US", "GB", "US"] as const;
const fundings: readonly Funding[] = ["debit", "debit", "debit", "credit", "credit", "prepaid"];

/** One day of payments, evenly over the hours, of a German merchant who sells in three currencies. Same seed, same stream. */
export function generateStream(o: {
  readonly seed: number;
  readonly payments: number;
  /** Who refuses cards for good. */
  readonly issuers: Pick<IssuerModel, "refusalOf">;
}): readonly WorldPayment[] {
  const random = createRandom(o.seed);
  const cards: Holder[] = [];
  return Array.from({ length: o.payments }, (_, index) => {
    const atMs = startMs + Math.floor((index * dayMs) / o.payments);
    const returning = cards.length > 0 && random.chance(returningShare);
    const holder = returning ? random.pick(cards) : drawCard(random, index, o.issuers);
    if (!returning) cards.push(holder);
    const { card } = holder;
    const funding = random.chance(wrongFundingShare) ? random.pick(fundings) : card.funding;
    return {
      ...holder,
      atMs,
      luck: random.below(2 ** 31),
      request: {
        paymentId: makeId("payment", atMs, random.bytes(10)),
        merchantId: "mer_replay",
        merchantCountry: "DE",
        // Many small ones and a few large ones, 1.00 to about 2,000.00.
        amountMinor: BigInt(Math.floor(100 * Math.exp(random.between(0, 7.6)))),
        currency: card.cardCountry === "US" ? random.pick(["USD", "EUR"]) : card.cardCountry === "GB" ? random.pick(["GBP", "EUR"]) : "EUR",
        network: card.network,
        cardCountry: card.cardCountry,
        funding,
        needs: random.chance(0.2) ? ["manual_capture"] : [],
      },
    };
  });
}

type Holder = Pick<WorldPayment, "card" | "cardFingerprint" | "refusal">;

function drawCard(random: Random, index: number, issuers: Pick<IssuerModel, "refusalOf">): Holder {
  const cardFingerprint = `card-${index}`;
  const refusal = issuers.refusalOf(cardFingerprint);
  return {
    card: { network: random.pick(networks), funding: random.pick(fundings), cardCountry: random.pick(countries) },
    cardFingerprint,
    refusal: refusal === undefined ? undefined : reasonOf(refusal),
  };
}
