/** Faults that come and go by themselves: servers that are away for a while, forget, or fail over; processes that die; clocks that jump. */
import type { FaultKind } from "./faults.ts";
import type { House } from "./house/house.ts";
import type { SwitchReplica } from "./house/switch-replica.ts";

/** Milliseconds. */
const lookMs = 250;
const awayMs = { min: 100, max: 4_000 };
/** A partition lasts: longer than any deadline, longer than the time after which "not found" is believed. */
const cutOffMs = { min: 1_000, max: 60_000 };
const copyEveryMs = 700;
const jumpMsMax = 3_600_000;
const tailLossMax = 20;
/** All clocks at once: past every hold of an hour, and past the age at which the expiry sweep visits a payment. */
const leapMs = 25 * 3_600_000;
const leapRatio = 0.2;
const leapAtMs = { min: 1_000, max: 8_000 };

export function startWeather(house: House, replicas: readonly SwitchReplica[], ledgers: readonly { crash(): void }[]): void {
  const { world, faults, cache, broker, database, vault, connectorLine } = house;
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
    connectors_cut_off: () => {
      connectorLine.isCut = true;
      world.schedule(random.between(cutOffMs.min, cutOffMs.max), () => {
        connectorLine.isCut = false;
      });
    },
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
  if (random.chance(leapRatio))
    world.schedule(random.between(leapAtMs.min, leapAtMs.max), () => {
      house.calendar.leaptMs = leapMs;
      world.note("leap", leapMs);
    });
  if (faults.rateOf("cache_failed_over") > 0) world.schedule(copyEveryMs, copy);
}

function calm(replicas: readonly SwitchReplica[]): void {
  for (const replica of replicas) replica.clockAheadMs = 0;
}
