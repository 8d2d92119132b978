/** Steady: authorizations at a constant rate (default 200/s for two minutes). The everyday figure. */
import type { Options } from "./lib/options.ts";
import { thresholds, usersFor } from "./lib/options.ts";
import { authorize } from "./lib/payments.ts";
import { durationOr, numberOr } from "./lib/settings.ts";

const rate = numberOr("FLORIN_RATE", 200);

export const options: Options = {
  scenarios: {
    steady: {
      executor: "constant-arrival-rate",
      rate,
      timeUnit: "1s",
      duration: durationOr("2m"),
      preAllocatedVUs: numberOr("FLORIN_VUS", usersFor(rate, 0.2)),
      maxVUs: numberOr("FLORIN_VUS", usersFor(rate, 2)),
    },
  },
  thresholds: { ...thresholds, florin_authorize_duration: ["p(99)<2000"] },
};

export default function run(): void {
  authorize();
}
