/** The house that a stream is replayed in: four processors, what they cost, and the network to them. */
import { acquirerWays } from "@florin/simulator/src/domain/acquirer-ways.ts";
import { createIssuerModel } from "@florin/simulator/src/domain/issuer-model.ts";
import { type InterchangeTable, makeProcessors, type ProcessorProfile } from "@florin/switch/src/domain/routing/index.ts";
import type { House } from "./replay.ts";
import type { Network } from "./world-payment.ts";

const interchange: InterchangeTable = {
  credit_domestic: 30,
  credit_intra_eea: 30,
  credit_international: 150,
  debit_domestic: 20,
  debit_intra_eea: 20,
  debit_international: 115,
  prepaid_domestic: 20,
  prepaid_intra_eea: 20,
  prepaid_international: 115,
};

const everyAbility = ["manual_capture", "multiple_captures", "multiple_refunds", "void_after_capture", "reversal", "query"] as const;
const fixed = (eur: bigint, usd: bigint, gbp: bigint) =>
  new Map([
    ["EUR", eur],
    ["USD", usd],
    ["GBP", gbp],
  ]);
const worldwide = {
  currencies: "any",
  networks: "any",
  cardCountries: "any",
  amounts: new Map(),
  capabilities: new Set(everyAbility),
} as const;

/** The first one is the fixed first choice that smart routing is measured against: solid, everywhere, not cheap. */
const houseProfiles: readonly ProcessorProfile[] = [
  { ...worldwide, name: "north", fees: { rateBps: 140, fixedMinor: fixed(25n, 30n, 20n), interchange: "blended" } },
  { ...worldwide, name: "east", fees: { rateBps: 45, fixedMinor: fixed(12n, 15n, 10n), interchange } },
  {
    ...worldwide,
    name: "south",
    currencies: new Set(["EUR"]),
    networks: new Set(["visa", "mastercard"]),
    cardCountries: new Set(["DE", "FR", "NL", "ES", "IT"]),
    amounts: new Map([["EUR", { minMinor: 100n, maxMinor: 500_000n }]]),
    fees: { rateBps: 25, fixedMinor: fixed(18n, 0n, 0n), interchange },
  },
  {
    ...worldwide,
    name: "west",
    networks: new Set(["visa", "mastercard", "amex"]),
    fees: { rateBps: 190, fixedMinor: fixed(5n, 5n, 5n), interchange: "blended" },
  },
];

/** How well they get through to issuers is the simulator's to know (simulator/src/domain/acquirer-ways.ts). */
const houseNetworks: Readonly<Record<string, Network>> = {
  north: { notSent: 0.003, unknown: 0.002 },
  east: { notSent: 0.004, unknown: 0.002 },
  south: { notSent: 0.004, unknown: 0.002 },
  west: { notSent: 0.003, unknown: 0.002 },
};

/** The house in the world of this seed. */
export function houseOf(seed: number): House {
  return { processors: makeProcessors(houseProfiles), networks: houseNetworks, issuers: createIssuerModel({ seed, ways: acquirerWays }) };
}
