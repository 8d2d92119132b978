/** What hangs on open operations, as gauges: how many by age, how much money by currency. */
import type { Metrics } from "@florin/runtime/telemetry";
import type { Stake } from "../app/followed.ts";
import { operationAgeOf, operationAges } from "../app/operation-age.ts";

/** Takes a look now and then; scrapes read what the last look saw. A currency appears with its first operation. */
export function createStakeMetrics(metrics: Pick<Metrics, "gauge">): (stakes: readonly Stake[], nowMs: number) => void {
  const counts = new Map<string, number>();
  const sums = new Map<string, number>();
  for (const { age } of operationAges) metrics.gauge("switch_open_operations", () => counts.get(age) ?? 0, { age });
  return (stakes, nowMs) => {
    counts.clear();
    for (const currency of sums.keys()) sums.set(currency, 0);
    for (const { startedAtMs, amount, currency } of stakes) {
      const age = operationAgeOf(nowMs - startedAtMs);
      counts.set(age, (counts.get(age) ?? 0) + 1);
      if (!sums.has(currency)) metrics.gauge("switch_money_at_risk_minor", () => sums.get(currency) ?? 0, { currency });
      sums.set(currency, (sums.get(currency) ?? 0) + Number(amount));
    }
  };
}
