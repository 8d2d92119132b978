import fc from "fast-check";
import { expect, test } from "vitest";
import { exclusionsOf } from "./eligibility.ts";
import type { ProcessorProfile } from "./processor-profile.ts";
import type { RoutingRequest } from "./routing-request.ts";
import { sampleProfile, sampleRequest } from "./samples.ts";

const narrow: ProcessorProfile = {
  ...sampleProfile,
  currencies: new Set(["EUR"]),
  networks: new Set(["visa"]),
  cardCountries: new Set(["DE"]),
  amounts: new Map([["EUR", { minMinor: 100n, maxMinor: 500_000n }]]),
  capabilities: new Set(["manual_capture"]),
};

test.each<[string, Partial<RoutingRequest>, readonly string[]]>([
  ["a payment that fits", {}, []],
  ["another currency, which has no bounds here", { currency: "USD", amountMinor: 1n }, ["currency_not_supported"]],
  ["another network", { network: "amex" }, ["network_not_supported"]],
  ["another country", { cardCountry: "US" }, ["country_not_supported"]],
  ["a country that nobody knows", { cardCountry: "" }, ["country_not_supported"]],
  ["the least amount", { amountMinor: 100n }, []],
  ["below the least amount", { amountMinor: 99n }, ["amount_too_small"]],
  ["the largest amount", { amountMinor: 500_000n }, []],
  ["above the largest amount", { amountMinor: 500_001n }, ["amount_too_large"]],
  ["an ability that it has", { needs: ["manual_capture"] }, []],
  ["one ability that it lacks", { needs: ["manual_capture", "query"] }, ["capability_missing"]],
  [
    "several at once",
    { network: "amex", cardCountry: "US", amountMinor: 1n },
    ["network_not_supported", "country_not_supported", "amount_too_small"],
  ],
])("%s", (_name, changes, exclusions) => {
  expect(exclusionsOf(narrow, sampleRequest(changes))).toEqual(exclusions);
});

test("a processor that names no currency, network or country takes any, also a country that nobody knows", () => {
  const text = fc.string({ maxLength: 4 });
  fc.assert(
    fc.property(text, text, text, (currency, network, cardCountry) => {
      expect(exclusionsOf(sampleProfile, sampleRequest({ currency, network, cardCountry }))).toEqual([]);
    }),
  );
});
