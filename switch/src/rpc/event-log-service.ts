/** EventLogService: whoever may follow the log reads it here, from any position, live. The same path rebuilds a consumer from nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import { EventLogService } from "@florin/gen/events/v1/events";
import { partitionOf } from "@florin/runtime/bus";
import { implement, type ServiceImplementation } from "@florin/runtime/rpc";
import type { Logger } from "@florin/runtime/telemetry";
import type { LogTail, TailEvent } from "../store/log-tail.ts";

const batchEventsMax = 512;
const idlePollMs = 25;
const signOfLifeMs = 5_000;

export function createEventLogService(o: { readonly tail: LogTail; readonly logger: Logger }): ServiceImplementation {
  return implement(EventLogService, {
    async *subscribe({ afterPosition, consumer }, { signal, peer }) {
      o.logger.info({ consumer, peer, after_position: String(afterPosition) }, "log subscription begins");
      let position = afterPosition;
      let spokenMs = performance.now();
      while (!signal.aborted) {
        const page = await o.tail.read(position, batchEventsMax);
        const hasMoved = page.throughPosition > position;
        if (hasMoved || performance.now() - spokenMs >= signOfLifeMs) {
          position = page.throughPosition;
          spokenMs = performance.now();
          yield { batch: { partition: 0, throughPosition: position, events: page.events.map(toWire) } };
        }
        if (page.events.length < batchEventsMax) await sleep(idlePollMs, undefined, { signal }).catch(() => undefined);
      }
    },
  });
}

function toWire({ position, paymentId, body }: TailEvent) {
  return { position, body, partition: partitionOf(paymentId) };
}
