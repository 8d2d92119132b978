/** What operators see of the frames of a process: commands per frame, and commands without an answer over all its links. */
import type { Metrics } from "../telemetry/index.ts";

type Side = "client" | "server";
type Counts = Readonly<Record<Side, Set<() => number>>>;

/** A process may have several links and one gauge for them all. */
const countsOf = new WeakMap<Metrics, Counts>();

export type FrameMetrics = {
  /** To be called for each frame written. */
  readonly onFrame: (commandCount: number) => void;
  /** Takes the link out of the gauge. */
  readonly forget: () => void;
};

/** Without `metrics` nothing is observed. */
export function observeFrames(metrics: Metrics | undefined, side: Side, inFlight: () => number): FrameMetrics {
  if (metrics === undefined) return { onFrame: () => {}, forget: () => {} };
  const counts = countsOf.get(metrics) ?? register(metrics);
  counts[side].add(inFlight);
  const commands = metrics.histogram("rpc_frames_commands", { side });
  return { onFrame: (commandCount) => commands.record(commandCount), forget: () => void counts[side].delete(inFlight) };
}

function register(metrics: Metrics): Counts {
  const counts: Counts = { client: new Set(), server: new Set() };
  countsOf.set(metrics, counts);
  for (const side of ["client", "server"] as const)
    metrics.gauge("rpc_commands_in_flight", () => [...counts[side]].reduce((sum, count) => sum + count(), 0), { side });
  return counts;
}
