/** What every process tells about itself: event loop, memory, CPU, and whether its guard had to step in. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { countCardNumbersMasked, maskedPlaces } from "./line-guard.ts";
import type { Metrics } from "./metrics.ts";

const resolutionMs = 20;

/** Registers the gauges; the function it returns stops the sampling of the event loop. */
export function observeProcess(metrics: Metrics): () => void {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  metrics.gauge("process_event_loop_lag_seconds", () => {
    // The sampler counts its own interval in; what is beyond it is delay.
    const seconds = delay.count === 0 ? 0 : Math.max(0, delay.percentile(99) / 1e9 - resolutionMs / 1_000);
    delay.reset();
    return seconds;
  });
  metrics.gauge("process_resident_memory_bytes", () => process.memoryUsage.rss());
  metrics.countFrom("process_cpu_seconds_total", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  for (const place of maskedPlaces) metrics.countFrom("process_card_numbers_masked_total", () => countCardNumbersMasked(place), { place });
  return () => void delay.disable();
}
