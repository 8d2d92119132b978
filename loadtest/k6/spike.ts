/** Spike: calm, ten times the rate at once, calm again. What was accepted in the spike must hold; afterwards it must be as before. */
import type { Options } from "./lib/options.ts";
import { usersFor } from "./lib/options.ts";
import { authorize } from "./lib/payments.ts";
import { durationOr, numberOr } from "./lib/settings.ts";

const calm = numberOr("FLORIN_RATE", 100);
const spike = calm * 10;
const users = numberOr("FLORIN_VUS", usersFor(spike, 1));

export const options: Options = {
  scenarios: {
    spike: {
      executor: "ramping-arrival-rate",
      startRate: calm,
      timeUnit: "1s",
      preAllocatedVUs: Math.min(users, 500),
      maxVUs: users,
      stages: [
        { target: calm, duration: "15s" },
        { target: spike, duration: "1s" },
        { target: spike, duration: durationOr("20s") },
        { target: calm, duration: "1s" },
        { target: calm, duration: "20s" },
      ],
    },
  },
};

export default function run(): void {
  authorize();
}
