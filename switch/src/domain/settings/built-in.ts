/** Version 0: what holds until somebody decides. The processors of the process for everything, in their order, and its limits. */
import { required } from "@florin/kernel";
import { type VelocityLimits, velocityWindows } from "../fraud/index.ts";
import type { CircuitLimits, RetryLimits, SwitchCallLimits } from "../limits/index.ts";
import { attemptsMax } from "../routing/cascade.ts";
import type { HouseLimits, HouseSettings } from "../routing/house-settings.ts";
import { cascadeWithinMsDefault } from "./bounds.ts";
import { makeHouse } from "./make-house.ts";
import { velocityNames } from "./parse-limits.ts";
import { parseSettings, type ReadSettings } from "./parse-settings.ts";

export type BuiltIn = {
  /** Registry names of the connectors that take all payments, in the order in which they are tried. */
  readonly processors: readonly string[];
  readonly velocity: VelocityLimits;
  readonly circuits: CircuitLimits;
  readonly retries: RetryLimits;
  readonly switchCalls: SwitchCallLimits;
};

/** What holds for the limits that a document does not name. */
export function builtInLimits({ velocity, circuits, retries, switchCalls }: BuiltIn): HouseLimits {
  const numbers = { circuits, retries, switchCalls, edgeCalls: {} };
  return { velocity, cascadeAttemptsMax: attemptsMax, cascadeWithinMs: cascadeWithinMsDefault, ...numbers };
}

/** Whole, with every limit named, so that it is a good start for a first version. */
export function builtInDocument(builtIn: BuiltIn): Readonly<Record<string, unknown>> {
  const { velocity, ...limits } = builtInLimits(builtIn);
  const anything = { enabled: true, currencies: "any", networks: "any", cardCountries: "any" };
  return {
    processors: builtIn.processors.map((name) => ({ name, ...anything })),
    merchants: { default: { strategy: { kind: "listed", explorePercent: 0 } } },
    limits: { velocity: Object.fromEntries(velocityWindows.map(({ name }) => [velocityNames[name], { ...velocity[name] }])), ...limits },
  };
}

/** Throws an Error with the first problem when the process was started with names or limits that make no sense together. */
export function readBuiltIn(builtIn: BuiltIn): ReadSettings {
  const parsed = parseSettings(builtInDocument(builtIn), { version: 0, limits: builtInLimits(builtIn) });
  if (parsed.kind === "parsed") return parsed.settings;
  const { path, problem } = required(parsed.problems[0], "a problem");
  throw new Error(`the built-in settings do not hold together: ${path} ${problem}`);
}

/** The same as payments are decided by, with connectors that can do everything. */
export function defaultSettings(builtIn: BuiltIn): HouseSettings {
  return makeHouse(readBuiltIn(builtIn), undefined);
}
