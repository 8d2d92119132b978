/**
 * What processors have called back about while no call waited for it: follows `ConnectorService.WatchNews` and hands each operation to recovery,
 * which then asks about it at once instead of at its next turn.
 *
 * A hint and nothing more: what is missed, forgotten or wrong here is found by asking as usual. A lost stream is taken up again.
 */
import type { WatchNewsResponse } from "@florin/gen/connectors/v1/connectors";
import { idToHex, isId } from "@florin/kernel";
import type { Logger } from "@florin/runtime/telemetry";
import type { Timing } from "@florin/runtime/timing";
import type { News } from "../app/follow-up.ts";

/** What is needed of the client of ConnectorService. */
export type NewsClient = {
  watchNews(request: Record<string, never>, options: { readonly signal: AbortSignal }): AsyncIterable<WatchNewsResponse>;
};

/** Each operation is offered for a while: recovery may not have met it yet. */
export interface ProcessorNews extends News {
  stop(): Promise<void>;
}

/** Until an outcome is in the log and recovery has read it. */
const keptMs = 5_000;
const keptMax = 20_000;
const reconnectDelayMsMin = 100;
const reconnectDelayMsMax = 5_000;

export function followNews(o: { readonly client: NewsClient; readonly timing: Timing; readonly logger: Logger }): ProcessorNews {
  const { client, timing, logger } = o;
  const stopping = new AbortController();
  /** When each came, oldest first. */
  const arrivals = new Map<string, number>();

  function note({ items }: WatchNewsResponse): void {
    for (const { reference } of items) if (isOperation(reference)) arrivals.set(idToHex(reference), timing.monotonicMs());
    for (const uuid of arrivals.keys()) {
      if (arrivals.size <= keptMax) break;
      arrivals.delete(uuid);
    }
  }

  async function follow(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; failures++) {
      try {
        for await (const response of client.watchNews({}, { signal: stopping.signal })) {
          failures = 0;
          note(response);
        }
        // An end without a fault is nobody's failure: new certificates, for one.
        failures = 0;
      } catch (err) {
        if (!stopping.signal.aborted) logger.debug({ err }, "news of processors lost");
      }
      await timing.sleep(Math.min(reconnectDelayMsMin * 2 ** Math.min(failures, 10), reconnectDelayMsMax), stopping.signal);
    }
  }

  const following = follow();
  return {
    offer(isTaken) {
      const expiredMs = timing.monotonicMs() - keptMs;
      for (const [uuid, atMs] of arrivals) if (isTaken(uuid) || atMs < expiredMs) arrivals.delete(uuid);
    },
    async stop() {
      stopping.abort();
      await following;
    },
  };
}

function isOperation(reference: string): boolean {
  return isId("attempt", reference) || isId("capture", reference) || isId("void", reference) || isId("refund", reference);
}
