/** A processor, interchange and a payment for tests and benches of routing. */
import type { InterchangeTable } from "./interchange.ts";
import { capabilities, type ProcessorProfile } from "./processor-profile.ts";
import type { RoutingRequest } from "./routing-request.ts";

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
