import { expect, test } from "vitest";
import { createStakeMetrics } from "./stake-metrics.ts";

test("open operations by age and money by currency; a look at nothing sets everything to zero", async () => {
  const gauges = new Map<string, () => number>();
  const look = createStakeMetrics({
    gauge: (name, read, ...[labels]) => {
      gauges.set(`${name} ${Object.values(labels ?? {})}`, read);
    },
  });
  const nowMs = 100 * 86_400_000;
  const stake = (ageMs: number, amount: bigint, currency: string) => ({ startedAtMs: nowMs - ageMs, amount, currency });
  look([stake(30_000, 5n, "EUR"), stake(30_001, 7n, "EUR"), stake(86_400_001, 11n, "JPY"), stake(-5_000, 1n, "EUR")], nowMs);
  const seen = () => Object.fromEntries([...gauges].map(([name, read]) => [name, read()]));
  expect(seen()).toEqual({
    "switch_open_operations 30s": 2,
    "switch_open_operations 5m": 1,
    "switch_open_operations 1h": 0,
    "switch_open_operations 1d": 0,
    "switch_open_operations more": 1,
    "switch_money_at_risk_minor EUR": 13,
    "switch_money_at_risk_minor JPY": 11,
  });
  look([], nowMs);
  expect(Object.values(seen()).every((value) => value === 0)).toBe(true);
});
