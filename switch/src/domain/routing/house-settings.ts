/**
 * What the house has decided about its processors, its merchants and its limits: one immutable value, made whole from one version of the
 * settings. Who decides about a payment takes it once, so that no payment is decided half by one version and half by the next.
 */
import type { VelocityLimits } from "../fraud/index.ts";
import type { CircuitLimits, EdgeCallLimits, RetryLimits, SwitchCallLimits } from "../limits/index.ts";
import type { AttemptNumber } from "./cascade.ts";
import type { IssuerTable } from "./issuer-table.ts";
import type { Capability } from "./processor-profile.ts";
import type { Processor, Strategy } from "./route.ts";
import type { MerchantRules } from "./rules/rule-tree.ts";

export type MerchantRouting = {
  /** ISO 3166-1 alpha-2; where the merchant is settled. Empty: nobody said, and every card counts as one from abroad. */
  readonly country: string;
  readonly strategy: Strategy;
  /** Their version is the settings' version, which says who made them. */
  readonly rules: MerchantRules | undefined;
  /** What a processor must be able to do to take a payment of this merchant at all. */
  readonly needs: readonly Capability[];
};

/** Requests of one API key at one edge process. */
export type RequestRate = { readonly perSecond: number; readonly burst: number };

export type HouseLimits = {
  readonly velocity: VelocityLimits;
  /** Attempts of one authorization, the first included. */
  readonly cascadeAttemptsMax: AttemptNumber;
  /** Milliseconds from the first attempt after which no further one begins. */
  readonly cascadeWithinMs: number;
  /** By merchant id, and "default"; kept by the edge. Absent: as each edge was started with. */
  readonly requestsPerKey?: ReadonlyMap<string, RequestRate>;
  readonly circuits: CircuitLimits;
  readonly retries: RetryLimits;
  readonly switchCalls: SwitchCallLimits;
  /** Kept by the edge. */
  readonly edgeCalls: EdgeCallLimits;
};

export type HouseSettings = {
  /** 0: built in, nobody has decided anything yet. */
  readonly version: number;
  /** Those that are enabled, in the order of the house. */
  readonly processors: readonly Processor[];
  /** A merchant that has no entry of its own gets the default's. */
  readonly merchant: (merchantId: string) => MerchantRouting;
  readonly limits: HouseLimits;
  /** Where cards are from. */
  readonly issuers: IssuerTable;
};
