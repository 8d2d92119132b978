/** What is known of a payment when its way is chosen. No card number, no token: brand, country and kind of the card are enough. */
import type { Capability } from "./processor-profile.ts";

export type Funding = "credit" | "debit" | "prepaid" | "unknown";

export type RoutingRequest = {
  /** "pay_…"; the seed of every draw, so that asking again gives the same answer. */
  readonly paymentId: string;
  readonly merchantId: string;
  /** ISO 3166-1 alpha-2; where the merchant is settled. */
  readonly merchantCountry: string;
  /** Minor units of `currency`, above 0. */
  readonly amountMinor: bigint;
  /** ISO 4217. */
  readonly currency: string;
  /** Card brand. */
  readonly network: string;
  /** ISO 3166-1 alpha-2 of the issuer; empty when nobody knows. */
  readonly cardCountry: string;
  readonly funding: Funding;
  readonly needs: readonly Capability[];
};
