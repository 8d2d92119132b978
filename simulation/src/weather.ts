/** Faults that come and go by themselves: servers that are away for a while, forget, or fail over; processes that die; clocks that jump. */
import type { FaultKind } from "./faults.ts";
import type { House } from "./house/house.ts";
import type { SwitchReplica } from "./house/switch-replica.ts";

/** Milliseconds. */
const lookMs = 250;
const awayMs = { min: 100, max: 4_000 };
const copyEveryMs = 700;
const jumpMsMax = 3_600_000;
const tailLossMax = 20;

export function startWeather(house: House, replicas: readonly SwitchReplica[], ledgers: readonly { crash(): void }[]): void {
  const { world, faults, cache, broker, database, vault } = house;
  const random = world.random.fork();
  const away = (set: (isAway: boolean) => void): void => {
    set(true);
    world.schedule(random.between(awayMs.min, awayMs.max), () => set(false));
  };
  const kinds: Partial<Record<FaultKind, () => void>> = {
    database_away: () =>
      away((isAway) => {
        database.isAway = isAway;
      }),
    cache_away: () => away((isAway) => (isAway ? cache.goAway() : cache.comeBack())),
    cache_emptied: () => cache.empty(),
    cache_failed_over: () => cache.failOver(),
    broker_away: () => away((isAway) => (isAway ? broker.goAway() : broker.comeBack())),
    broker_emptied: () => broker.empty(),
    broker_lost_tail: () => broker.loseTail(random.below(tailLossMax), random.chance(0.5)),
    vault_away: () =>
      away((isAway) => {
        vault.isAway = isAway;
      }),
    ledger_crashed: () => random.pick(ledgers).crash(),
    clock_jumped: () => {
      random.pick(replicas).clockAheadMs = Math.floor(random.between(-jumpMsMax, jumpMsMax));
    },
  };
  const look = (): void => {
    if (faults.hasStopped) {
      calm(replicas);
      return;
    }
    for (const [kind, happen] of Object.entries(kinds) as [FaultKind, () => void][]) {
      if (!random.chance((faults.rateOf(kind) * lookMs) / 1_000)) continue;
      faults.noteFired(kind);
      happen();
    }
    world.schedule(lookMs, look);
  };
  const copy = (): void => {
    if (faults.hasStopped) return;
    cache.copy();
    world.schedule(copyEveryMs, copy);
  };
  world.schedule(lookMs, look);
  if (faults.rateOf("cache_failed_over") > 0) world.schedule(copyEveryMs, copy);
}

function calm(replicas: readonly SwitchReplica[]): void {
  for (const replica of replicas) replica.clockAheadMs = 0;
}
