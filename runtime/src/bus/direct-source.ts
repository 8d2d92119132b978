/**
 * Follows the payment log itself, through `EventLogService.Subscribe`: no broker needed, and the path by which a consumer is rebuilt.
 *
 * A lost stream is taken up again from where the consumer is.
 */
import type { LoggedEvent, SubscribeResponse } from "@florin/gen/events/v1/events";
import { required } from "@florin/kernel";
import type { Logger, Metrics } from "../telemetry/index.ts";
import { systemTiming, type Timing } from "../timing/index.ts";
import { type EventSource, type FollowOptions, partitionCount } from "./event-bus.ts";
import { PartitionIntake } from "./partition-intake.ts";

const reconnectDelayMsMin = 100;
const reconnectDelayMsMax = 5_000;

/** What is needed of the client of EventLogService. */
export type EventLogClient = {
  subscribe(request: { afterPosition: bigint; consumer: string }, options: { signal: AbortSignal }): AsyncIterable<SubscribeResponse>;
};

export type DirectSourceOptions = {
  readonly client: EventLogClient;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** Default: the system's. */
  readonly timing?: Timing;
};

export function createDirectSource(options: DirectSourceOptions): EventSource {
  return {
    follow: async (follow) => {
      await followDirectly(options, follow, () => false);
    },
  };
}

/**
 * Follows until the signal is aborted or `isEnough` says so; it is asked after each response. Resolves with the positions handled.
 * `isEnough` gets the position that every partition has reached and whether the response was a mere sign of life.
 */
export async function followDirectly(
  options: DirectSourceOptions,
  follow: FollowOptions,
  isEnough: (seenMin: bigint, isSignOfLife: boolean) => boolean | Promise<boolean>,
): Promise<readonly bigint[]> {
  const { client, logger, metrics, timing = systemTiming } = options;
  const { consumer, signal } = follow;
  const intake = new PartitionIntake({ ...follow, logger, timing, onRedelivery: () => metrics?.count("bus_redelivered_total") });
  let failures = 0;
  let hasEnough = false;
  while (!signal.aborted && !hasEnough) {
    const subscription = new AbortController();
    try {
      const responses = client.subscribe(
        { afterPosition: intake.seenMin, consumer },
        { signal: AbortSignal.any([signal, subscription.signal]) },
      );
      for await (const response of responses) {
        failures = 0;
        takeIn(intake, response);
        await intake.whenRoom();
        hasEnough = await isEnough(intake.seenMin, (response.batch?.events.length ?? 0) === 0);
        if (hasEnough || signal.aborted) break;
      }
    } catch (err) {
      if (!signal.aborted) logger.warn({ consumer, failures, err }, "event log subscription lost");
    } finally {
      subscription.abort();
    }
    if (signal.aborted || hasEnough) break;
    await timing.sleep(Math.min(reconnectDelayMsMin * 2 ** failures, reconnectDelayMsMax), signal);
    failures = Math.min(failures + 1, 10);
  }
  await intake.finish();
  return intake.handled;
}

/** A response mixes partitions and speaks for all of them: also for those without events it says that there are none up to its position. */
function takeIn(intake: PartitionIntake, { batch }: SubscribeResponse): void {
  if (batch === undefined) return;
  const byPartition: LoggedEvent[][] = Array.from({ length: partitionCount }, () => []);
  for (const event of batch.events) required(byPartition[event.partition], "partition below 16").push(event);
  for (const [partition, events] of byPartition.entries()) {
    intake.offer({ partition, afterPosition: intake.seen(partition), throughPosition: batch.throughPosition, events });
  }
}
