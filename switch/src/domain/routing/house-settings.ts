/** What a house has decided about its ways to processors, as one value that is replaced as a whole. */
import type { VelocityLimits } from "../fraud/index.ts";
import type { Processor, Strategy } from "./route.ts";
import type { MerchantRules } from "./rules/rule-tree.ts";

export type MerchantRouting = {
  /** ISO 3166-1 alpha-2; where the merchant is settled. */
  readonly country: string;
  readonly strategy: Strategy;
  /** Undefined: the merchant has none. */
  readonly rules: MerchantRules | undefined;
};

export type HouseLimits = {
  readonly velocity: VelocityLimits;
  /** Attempts of one call, the first included; 1 to 3. */
  readonly cascadeAttemptsMax: number;
  /** No further attempt begins later than this after the call, ms. */
  readonly cascadeWithinMs: number;
};

export type HouseSettings = {
  /** 0: nobody has settled anything yet. */
  readonly version: number;
  /** In the order of the house. */
  readonly processors: readonly Processor[];
  readonly merchant: (merchantId: string) => MerchantRouting;
  readonly limits: HouseLimits;
};
