/** EventLogService: whoever may follow the log reads it here, from any position, live. The same path rebuilds a consumer from nothing. */
import { EventLogService } from "@florin/gen/events/v1/events";
import { partitionOf } from "@florin/runtime/bus";
import { implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { Logger } from "@florin/runtime/telemetry";
import { systemTiming } from "@florin/runtime/timing";
import { subscribeToLog } from "../app/subscribe-to-log.ts";
import type { LogTail, TailEvent } from "../store/log-tail.ts";

export function createEventLogService({ tail, logger }: { readonly tail: LogTail; readonly logger: Logger }): ServiceImplementation {
  return implement(EventLogService, {
    async *subscribe({ afterPosition, consumer }, { signal, peer }) {
      // At night a consumer of the broker looks in here every few seconds.
      logger.debug({ consumer, peer, after_position: String(afterPosition) }, "log subscription begins");
      for await (const { throughPosition, events } of subscribeToLog({ tail, timing: systemTiming }, { afterPosition, signal }))
        yield { batch: { partition: 0, throughPosition, events: events.map(toWire) } };
    },
  });
}

function toWire({ position, paymentId, body }: TailEvent) {
  return { position, body, partition: partitionOf(paymentId) };
}
