/** Processors and payments for tests and benches of routing: four acquirers that differ in reach, price and abilities. */
import { createAuthorizationRates, defaultRateSettings } from "./authorization-rates.ts";
import type { InterchangeTable } from "./interchange.ts";
import { capabilities, type ProcessorProfile } from "./processor-profile.ts";
import { makeProcessors, type RouteContext } from "./route.ts";
import type { RoutingRequest } from "./routing-request.ts";

export const sampleNowMs = Date.UTC(2026, 0, 15, 12);

/** Consumer cards inside the EEA at the caps of Regulation (EU) 2015/751: 0.2 % debit and prepaid, 0.3 % credit. */
export const sampleInterchange: InterchangeTable = {
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

export const sampleProfile: ProcessorProfile = {
  name: "alpha",
  currencies: "any",
  networks: "any",
  cardCountries: "any",
  amounts: new Map(),
  capabilities: new Set(capabilities),
  fees: {
    rateBps: 140,
    fixedMinor: new Map([
      ["EUR", 25n],
      ["USD", 30n],
      ["JPY", 40n],
    ]),
    interchange: "blended",
  },
};

export const sampleProfiles: readonly ProcessorProfile[] = [
  sampleProfile,
  {
    ...sampleProfile,
    name: "beta",
    fees: {
      rateBps: 45,
      fixedMinor: new Map([
        ["EUR", 12n],
        ["USD", 15n],
      ]),
      interchange: sampleInterchange,
    },
  },
  {
    ...sampleProfile,
    name: "gamma",
    currencies: new Set(["EUR"]),
    networks: new Set(["visa", "mastercard"]),
    cardCountries: new Set(["DE", "FR", "NL"]),
    amounts: new Map([["EUR", { minMinor: 100n, maxMinor: 500_000n }]]),
    capabilities: new Set(["manual_capture", "reversal"]),
    fees: { rateBps: 25, fixedMinor: new Map([["EUR", 18n]]), interchange: sampleInterchange },
  },
  {
    ...sampleProfile,
    name: "delta",
    networks: new Set(["visa", "mastercard", "amex"]),
    fees: {
      rateBps: 190,
      fixedMinor: new Map([
        ["EUR", 5n],
        ["USD", 5n],
        ["JPY", 10n],
      ]),
      interchange: "blended",
    },
  },
];

export function sampleRequest(changes: Partial<RoutingRequest> = {}): RoutingRequest {
  return {
    paymentId: "pay_01jhmvw3k8q2r5t7v9x1z3b5d7",
    merchantId: "mer_01jhmvw3k8q2r5t7v9x1z3b5d7",
    merchantCountry: "DE",
    amountMinor: 5_000n,
    currency: "EUR",
    network: "visa",
    cardCountry: "DE",
    funding: "debit",
    needs: [],
    ...changes,
  };
}

export function sampleContext(changes: Partial<RouteContext> = {}): RouteContext {
  return {
    request: sampleRequest(),
    processors: makeProcessors(sampleProfiles),
    rules: undefined,
    strategy: { kind: "listed", exploreBps: 0 },
    health: () => "up",
    rates: createAuthorizationRates(defaultRateSettings),
    nowMs: sampleNowMs,
    ...changes,
  };
}
