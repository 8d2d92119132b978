/** Which link a request goes out over. */
import type { LinkPhase } from "./link-state.ts";

export type Choosable = {
  readonly phase: LinkPhase["kind"];
  /** It writes in this turn of the event loop anyway. */
  readonly hasCompany: boolean;
  /** Bytes that the network has not taken yet. */
  readonly backlogBytes: number;
};

/** One that is up: in company, else the one that keeps back least, else by chance. `random`: 0 to below 1. */
export function chooseLane<Link extends Choosable>(lanes: readonly Link[], random: () => number): Link | undefined {
  const company = lanes.find((lane) => lane.hasCompany && lane.phase === "up");
  if (company !== undefined) return company;
  let best: Link | undefined;
  // From a link by chance on, so that equals share.
  const start = Math.floor(random() * lanes.length);
  for (let step = 0; step < lanes.length; step++) {
    const lane = lanes[(start + step) % lanes.length] as Link;
    if (lane.phase === "up" && (best === undefined || lane.backlogBytes < best.backlogBytes)) best = lane;
  }
  return best;
}
