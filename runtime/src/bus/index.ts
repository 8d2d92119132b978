export { type CatchingUpOptions, createCatchingUpSource } from "./catching-up-source.ts";
export { createDirectSource, type EventLogClient } from "./direct-source.ts";
export {
  EventGap,
  type EventPublisher,
  type EventSource,
  type FollowOptions,
  type HandleBatch,
  type PublishOptions,
  partitionCount,
  partitionOf,
} from "./event-bus.ts";
export { createJetStreamBus, type JetStreamBus, type JetStreamBusOptions } from "./jetstream-bus.ts";
export type { StreamEnd, StreamEndAt } from "./jetstream-follower.ts";
export { type Offer, PartitionIntake } from "./partition-intake.ts";
