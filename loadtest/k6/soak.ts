/** Soak: the mix for a long time (default 100/s for an hour). Looks for what grows: memory, lag, latency. */

import { oneOfMix } from "./lib/mix.ts";
import type { Options } from "./lib/options.ts";
import { thresholds, usersFor } from "./lib/options.ts";
import { durationOr, numberOr } from "./lib/settings.ts";

const rate = numberOr("FLORIN_RATE", 100);

export const options: Options = {
  scenarios: {
    soak: {
      executor: "constant-arrival-rate",
      rate,
      timeUnit: "1s",
      duration: durationOr("1h"),
      preAllocatedVUs: numberOr("FLORIN_VUS", usersFor(rate, 0.2)),
      maxVUs: numberOr("FLORIN_VUS", usersFor(rate, 2)),
    },
  },
  thresholds: { ...thresholds, florin_authorize_duration: ["p(99)<2000"] },
};

export default function run(): void {
  oneOfMix();
}
