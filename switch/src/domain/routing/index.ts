export { type AuthorizationRates, createAuthorizationRates } from "./authorization-rates.ts";
export { type AttemptNumber, attemptsMax, classOf, countsTowardsRate, isWorthAnotherTry, nextStep, type StopReason } from "./cascade.ts";
export { type Candidate, type RoutingDecision, rankedProcessors, storeDecision, strategyKinds } from "./decision.ts";
export { exactFee, exactPerMinor } from "./fees.ts";
export type { HouseLimits, HouseSettings, MerchantRouting } from "./house-settings.ts";
export { type InterchangeTable, regionOf } from "./interchange.ts";
export {
  type CardHistory,
  type CardKey,
  type Decline,
  type DeclineHistory,
  dayMs,
  declinedPer30DaysMax,
  type GuardReason,
  type GuardVerdict,
  guardRetry,
  historyOf,
  isGuardReason,
  windowMs,
} from "./network-guardian.ts";
export type { ProcessorProfile } from "./processor-profile.ts";
export { type Health, makeProcessors, type Processor, route, type Strategy } from "./route.ts";
export type { Funding, RoutingRequest } from "./routing-request.ts";
export { segmentOf } from "./segment.ts";
export { type AttemptEnd, type RoutingStory, routingStories } from "./story.ts";
