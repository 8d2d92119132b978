export { type Block, type BlockKind, type BlockList, makeBlockList } from "./block-list.ts";
export type { FraudSignals, VelocityCounts } from "./signals.ts";
export { type FraudTier, type ImmediateTier, listsAndVelocity, type TierFinding, verdictOf } from "./tier.ts";
export { type VelocityLimits, type VelocityWindow, velocityKey, velocitySubjects, velocityWindows } from "./velocity.ts";
