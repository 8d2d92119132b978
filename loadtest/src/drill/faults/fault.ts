/** What a fault is: a name, what it does, whose figure it has to hold, and the blow itself. */
import type { DrillStack } from "../drill-stack.ts";
import type { Load, loadProfiles } from "../load/load.ts";
import type { Random } from "../random.ts";

/** What a blow is given. It ends with the fault mended, or throws when the fault could not be made. */
export type Strike = {
  readonly stack: DrillStack;
  readonly load: Load;
  readonly random: Random;
  /** Sized for CI instead of for proof. */
  readonly isShort: boolean;
  /** Throws when the drill is interrupted. */
  pause(durationMs: number): Promise<void>;
  /** From now on nothing new may succeed, where the fault says so (`refuses`). */
  inForce(): void;
  /** From now on the stack mends itself: recovery time counts from here. */
  lifted(): void;
};

export type Fault = {
  readonly name: string;
  /** Of the anchors, "C1" for example. */
  readonly anchor: string;
  readonly what: string;
  readonly load: keyof typeof loadProfiles;
  readonly rounds: { readonly short: number; readonly full: number };
  /** From `lifted` to the first success; undefined: has no figure. */
  readonly recoveryMsMax: number | undefined;
  /** While it is in force, nothing new may succeed. */
  readonly refuses: boolean;
  readonly strike: (strike: Strike) => Promise<void>;
};

/** Thrown by a blow that this machine does not allow: the fault is skipped, and the report says why. */
export class NotPossibleHere extends Error {}
