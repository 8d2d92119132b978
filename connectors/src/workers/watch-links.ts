/** Pings every processor in turn, so that readiness and the first payment after an outage know the state of each link. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@florin/runtime/telemetry";
import type { Registry } from "../registry.ts";

export type LinkWatch = {
  /** By connector name. A connector that was not asked yet counts as up. */
  isUp(connector: string): boolean;
  stop(): Promise<void>;
};

const intervalMs = 5_000;
const pingTimeoutMs = 2_000;

export function watchLinks(registry: Registry, logger: Logger): LinkWatch {
  const states = new Map<string, boolean>();
  const stopping = new AbortController();
  const round = async (): Promise<void> => {
    for (const connector of registry.values()) {
      const answer = await connector.ping({ deadlineAtMs: Date.now() + pingTimeoutMs, traceparent: "" });
      const isUp = answer.kind === "up";
      if ((states.get(connector.name) ?? true) !== isUp)
        logger.warn({ connector: connector.name, is_up: isUp }, "a processor's link changed");
      states.set(connector.name, isUp);
    }
  };
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await round();
      await sleep(intervalMs, undefined, { signal: stopping.signal, ref: false }).catch(() => {});
    }
  };
  const ended = loop();
  return {
    isUp: (connector) => (states.get(connector) ?? true) && registry.get(connector)?.isUp() !== false,
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}
