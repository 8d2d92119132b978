/**
 * Interchange classes: what the issuer takes of a payment depends on the kind of card and on how far it travelled. Acquirers on
 * "interchange plus" pass it on, so the same processor is cheap for one card and dear for another.
 *
 * A class is coarser than the networks' own tables (hundreds of lines); it is what a switch can tell from brand, country and funding.
 */
import type { Funding, RoutingRequest } from "./routing-request.ts";

/** Same country · both in the European Economic Area, where Regulation (EU) 2015/751 caps consumer interchange · anything else. */
export type CardRegion = "domestic" | "intra_eea" | "international";
export type InterchangeClass = `${Exclude<Funding, "unknown">}_${CardRegion}`;

/** Basis points of the amount; at most `rateBpsMax` of `fees.ts`. */
export type InterchangeTable = Readonly<Record<InterchangeClass, number>>;

const eeaCountries: ReadonlySet<string> = new Set(
  "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IS IT LI LV LT LU MT NL NO PL PT RO SK SI ES SE".split(" "),
);

export type CardOrigin = Pick<RoutingRequest, "funding" | "cardCountry" | "merchantCountry">;

/** What nobody knows counts as the dearest: credit, from abroad. A guess that is too cheap would draw payments to the wrong processor. */
export function interchangeClassOf({ funding, cardCountry, merchantCountry }: CardOrigin): InterchangeClass {
  return classes[funding === "unknown" ? "credit" : funding][regionOf(cardCountry, merchantCountry)];
}

/** How far a payment travels from the merchant to the card's issuer. */
export function regionOf(cardCountry: string, merchantCountry: string): CardRegion {
  if (cardCountry === "") return "international";
  if (cardCountry === merchantCountry) return "domestic";
  return eeaCountries.has(cardCountry) && eeaCountries.has(merchantCountry) ? "intra_eea" : "international";
}

/** A table instead of a template: it is looked up for every candidate of every payment. */
const classes: Readonly<Record<Exclude<Funding, "unknown">, Readonly<Record<CardRegion, InterchangeClass>>>> = {
  credit: { domestic: "credit_domestic", intra_eea: "credit_intra_eea", international: "credit_international" },
  debit: { domestic: "debit_domestic", intra_eea: "debit_intra_eea", international: "debit_international" },
  prepaid: { domestic: "prepaid_domestic", intra_eea: "prepaid_intra_eea", international: "prepaid_international" },
};
