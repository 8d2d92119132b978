/** Cards for tests: Stripe's published numbers. Each call gives fresh bytes, because whoever uses a card wipes it. */
import { Secret } from "@florin/kernel";
import type { Card } from "../src/contract/connector.ts";

export const cardNumbers = {
  approved: "4242424242424242",
  insufficient_funds: "4000000000009995",
  lost_card: "4000000000009987",
  refund_fails: "4000000000005126",
} as const;

export function testCard(kind: keyof typeof cardNumbers): Card {
  return {
    number: new Secret(Buffer.from(cardNumbers[kind])),
    expMonth: 12,
    expYear: 2035,
    securityCode: new Secret(Buffer.from("123")),
    postalCode: "1010",
    addressLine1: 'Main "Street" 1',
  };
}
