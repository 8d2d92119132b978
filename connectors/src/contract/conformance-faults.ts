/** What can go wrong at a processor and on the way to it, and what is then known: the words of the conformance suite and of its worlds. */
import type { UnknownCause } from "./outcome.ts";

/** What nobody can know after each fault: why the outcome is unknown, and whether the processor's books have the operation. */
export const unclearFaults = {
  timeout_before_charge: { cause: "timeout", effects: 0 },
  timeout_after_charge: { cause: "timeout", effects: 1 },
  reset_after_approval: { cause: "connection_lost", effects: 1 },
  garbage: { cause: "garbage", effects: 1 },
  wrong_mac: { cause: "mac_mismatch", effects: 1 },
  slow_drip: { cause: "timeout", effects: 1 },
  delay: { cause: "timeout", effects: 1 },
  unmapped_code: { cause: "unmapped_response", effects: 1 },
  outage: { cause: "processor_fault", effects: 0 },
} as const satisfies Readonly<Record<string, { readonly cause: UnknownCause; readonly effects: 0 | 1 }>>;

type UnclearFault = keyof typeof unclearFaults;
export type ConformanceFault = UnclearFault | "duplicate_answer" | "denied_query";

export const unclear = Object.keys(unclearFaults) as UnclearFault[];
/** Every fault that a world must be able to make, or say why it cannot. */
export const conformanceFaults: readonly ConformanceFault[] = [...unclear, "duplicate_answer", "denied_query"];
