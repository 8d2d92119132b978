/** Mix: merchants' traffic (authorize 40, capture 30, get 20, refund 10) at a constant rate (default 200/s for two minutes). */

import { oneOfMix } from "./lib/mix.ts";
import type { Options } from "./lib/options.ts";
import { thresholds, usersFor } from "./lib/options.ts";
import { durationOr, numberOr } from "./lib/settings.ts";

const rate = numberOr("FLORIN_RATE", 200);

export const options: Options = {
  scenarios: {
    mix: {
      executor: "constant-arrival-rate",
      rate,
      timeUnit: "1s",
      duration: durationOr("2m"),
      preAllocatedVUs: numberOr("FLORIN_VUS", usersFor(rate, 0.2)),
      maxVUs: numberOr("FLORIN_VUS", usersFor(rate, 2)),
    },
  },
  thresholds,
};

export default function run(): void {
  oneOfMix();
}
