/** What holds until the house has settings of its own: the connectors and the limits that this process was started with. */
import type { SwitchConfig } from "../config.ts";
import type { BuiltIn } from "../domain/settings/index.ts";
import { velocityLimitsOf } from "./fraud/velocity-limits.ts";

export function builtInOf(config: SwitchConfig): BuiltIn {
  return { processors: config.connector.split(","), velocity: velocityLimitsOf(config) };
}
