/**
 * Ramp: the arrival rate climbs to `--rate` (default 50,000/s, the design target) over `--duration` and then falls. Shows where a machine
 * ends and how it answers beyond that: it must refuse (503, 429), never lose. A generator for 50,000/s needs 20 to 40 cores of its own.
 */
import type { Options } from "./lib/options.ts";
import { usersFor } from "./lib/options.ts";
import { authorize } from "./lib/payments.ts";
import { durationOr, numberOr } from "./lib/settings.ts";

const rate = numberOr("FLORIN_RATE", 50_000);
const users = numberOr("FLORIN_VUS", Math.min(usersFor(rate, 0.2), 10_000));

export const options: Options = {
  scenarios: {
    ramp: {
      executor: "ramping-arrival-rate",
      startRate: Math.max(1, Math.floor(rate / 100)),
      timeUnit: "1s",
      preAllocatedVUs: Math.min(users, 500),
      maxVUs: users,
      stages: [
        { target: rate, duration: durationOr("3m") },
        { target: Math.max(1, Math.floor(rate / 100)), duration: "15s" },
      ],
    },
  },
};

export default function run(): void {
  authorize();
}
