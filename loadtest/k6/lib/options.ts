/** Parts of k6's options that every scenario shares. */
import type { Options, Scenario } from "k6/options";

/** An answer that is neither yes nor no more often than this fails the run, and so does a request that was never begun. */
export const thresholds: NonNullable<Options["thresholds"]> = {
  florin_unsure: ["count<1"],
  dropped_iterations: ["count<1"],
};

/** Virtual users that a rate needs when a request takes `secondsEach`, with room to spare. */
export function usersFor(rate: number, secondsEach: number): number {
  return Math.max(10, Math.ceil(rate * secondsEach));
}

export type { Options, Scenario };
