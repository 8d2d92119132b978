/** Streams of payments to replay, made from a seed. */
import { type DeclineReason, makeId } from "@florin/kernel";
import type { Funding } from "@florin/switch/src/domain/routing/index.ts";
import { createRandom, type Random } from "../engine/random.ts";
import type { WorldPayment } from "./issuer-model.ts";

const startMs = Date.UTC(2026, 0, 15);
const dayMs = 86_400_000;
/** What the switch is told of a card comes from a table of BINs that is never quite right. */
const wrongFundingShare = 0.004;
/** Issuers that refuse for good. */
const refusalShare = 0.07;
const returningShare = 0.1;

const refusals: readonly DeclineReason[] = [
  ...(Array<DeclineReason>(10).fill("insufficient_funds") as DeclineReason[]),
  "expired_card",
  "incorrect_cvc",
  "incorrect_cvc",
  "fraudulent",
  "lost_card",
  "stolen_card",
  "invalid_account",
  "transaction_not_allowed",
];
const networks = ["visa", "visa", "visa", "visa", "visa", "mastercard", "mastercard", "mastercard", "mastercard", "amex"] as const;
const countries = ["DE", "DE", "DE", "DE", "DE", "FR", "NL", "ES", "IT", "US", "GB", "US"] as const;
const fundings: readonly Funding[] = ["debit", "debit", "debit", "credit", "credit", "prepaid"];

/** One day of payments, evenly over the hours, of a German merchant who sells in three currencies. Same seed, same stream. */
export function generateStream(o: { readonly seed: number; readonly payments: number }): readonly WorldPayment[] {
  const random = createRandom(o.seed);
  const cards: Pick<WorldPayment, "card" | "cardFingerprint" | "refusal">[] = [];
  return Array.from({ length: o.payments }, (_, index) => {
    const atMs = startMs + Math.floor((index * dayMs) / o.payments);
    const returning = cards.length > 0 && random.chance(returningShare);
    const holder = returning ? random.pick(cards) : drawCard(random, index);
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

function drawCard(random: Random, index: number): Pick<WorldPayment, "card" | "cardFingerprint" | "refusal"> {
  return {
    card: { network: random.pick(networks), funding: random.pick(fundings), cardCountry: random.pick(countries) },
    cardFingerprint: `card-${index}`,
    refusal: random.chance(refusalShare) ? random.pick(refusals) : undefined,
  };
}
