/** The log's Subscribe in memory: what the real one promises, without a database. Sends a sign of life every 200 ms. */
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { EventBatchSchema, LoggedEventSchema, type SubscribeResponse, SubscribeResponseSchema } from "@florin/gen/events/v1/events";
import type { EventLogClient } from "../src/bus/index.ts";
import type { TestEvent } from "./bus-conformance.ts";

const responseEventsMax = 20;
const signOfLifeMs = 200;

export class MemoryEventLog {
  readonly events: TestEvent[] = [];
  /** Times Subscribe was called. */
  subscriptions = 0;
  #epoch = 0;

  append(events: readonly TestEvent[]): void {
    this.events.push(...events);
  }

  /** Ends every open subscription with a fault. */
  cut(): void {
    this.#epoch += 1;
  }

  readonly client: EventLogClient = {
    subscribe: (request, { signal }) => this.subscribe(request.afterPosition, signal),
  };

  async *subscribe(afterPosition: bigint, signal: AbortSignal): AsyncGenerator<SubscribeResponse> {
    this.subscriptions += 1;
    const epoch = this.#epoch;
    let through = afterPosition;
    let silentMs = 0;
    while (!signal.aborted) {
      if (epoch !== this.#epoch) throw new Error("connection reset");
      const found = this.events.filter((event) => event.position > through).slice(0, responseEventsMax);
      if (found.length === 0 && silentMs < signOfLifeMs) {
        silentMs += 5;
        await sleep(5);
        continue;
      }
      silentMs = 0;
      through = found.at(-1)?.position ?? through;
      const events = found.map(({ position, partition }) =>
        create(LoggedEventSchema, { position, partition, body: new TextEncoder().encode(`event ${position}`) }),
      );
      yield create(SubscribeResponseSchema, { batch: create(EventBatchSchema, { events, throughPosition: through }) });
    }
  }
}
