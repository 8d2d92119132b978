/** The velocity limits of the configuration in the domain's shape. */
import type { SwitchConfig } from "../../config.ts";
import type { VelocityLimits } from "../../domain/fraud/index.ts";

export function velocityLimitsOf(config: SwitchConfig): VelocityLimits {
  return {
    cardPerHour: { raisedFrom: config.cardPerHourRaised, blockedFrom: config.cardPerHourBlocked },
    cardPerDay: { raisedFrom: config.cardPerDayRaised, blockedFrom: config.cardPerDayBlocked },
    ipPerHour: { raisedFrom: config.ipPerHourRaised, blockedFrom: config.ipPerHourBlocked },
    merchantPerMinute: { raisedFrom: config.merchantPerMinuteRaised, blockedFrom: config.merchantPerMinuteBlocked },
  };
}
