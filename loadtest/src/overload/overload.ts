/** `npm run drill -- overload`: a stack that is asked for more than it can do, and the figures that it must hold. Linux only. */

import { runCrowdScenario } from "./crowd-scenario.ts";
import type { Held } from "./judge.ts";
import { runNoisyScenario } from "./noisy-scenario.ts";
import { type OverloadOptions, overloadUsage, readOverloadOptions, type Scenario } from "./options.ts";
import { runProcessorsScenario } from "./processors-scenario.ts";
import { renderHeld } from "./report.ts";

const runners: Readonly<Record<Scenario, (options: OverloadOptions) => Promise<readonly Held[]>>> = {
  crowd: runCrowdScenario,
  noisy: runNoisyScenario,
  processors: runProcessorsScenario,
};

/** 0 when every figure holds. */
export async function runOverload(words: readonly string[]): Promise<number> {
  const options = readOverloadOptions(words);
  if (options.isHelp) {
    console.log(overloadUsage);
    return 0;
  }
  const held: Held[] = [];
  for (const scenario of options.only) held.push(...(await runners[scenario](options)));
  console.log(renderHeld(held, options));
  return held.every(({ isHeld, isTimed }) => isHeld || (isTimed && options.isShort)) ? 0 : 1;
}
