/** The house that a generated stream is replayed in: four processors, what they cost, and how well they do. */
import type { InterchangeTable, ProcessorProfile } from "@florin/switch/src/domain/routing/index.ts";
import type { WayModel } from "./issuer-model.ts";

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
export const houseProfiles: readonly ProcessorProfile[] = [
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

/** No way is best for every card, and none all day. */
export const houseWays: Readonly<Record<string, WayModel>> = {
  north: {
    usual: 0.93,
    special: { "amex/international": 0.84 },
    badHours: { from: 13, to: 15, share: 0.7 },
    notSent: 0.003,
    unknown: 0.002,
  },
  east: {
    usual: 0.92,
    special: { "visa/international": 0.82, "mastercard/international": 0.84 },
    badHours: undefined,
    notSent: 0.004,
    unknown: 0.002,
  },
  south: { usual: 0.96, special: {}, badHours: { from: 20, to: 21, share: 0.6 }, notSent: 0.004, unknown: 0.002 },
  west: {
    usual: 0.9,
    special: { "amex/domestic": 0.97, "amex/international": 0.95, "visa/international": 0.94 },
    badHours: undefined,
    notSent: 0.003,
    unknown: 0.002,
  },
};
