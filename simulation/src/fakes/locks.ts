/** Advisory locks: one holder each, given back when its session is gone, which its holder need not notice at once. */
import type { Leadership } from "@florin/runtime/postgres";
import type { Life } from "../engine/life.ts";
import type { Faults } from "../faults.ts";
import { createQuery, type DatabaseWeather } from "./log-access.ts";

/** Milliseconds. */
const sessionGoneMsMax = 3_000;
const probePeriodMs = 2_000;

export class LockTable {
  readonly #holders = new Map<string, symbol>();

  take(name: string): (() => void) | undefined {
    if (this.#holders.has(name)) return undefined;
    const holder = Symbol(name);
    this.#holders.set(name, holder);
    return () => {
      if (this.#holders.get(name) === holder) this.#holders.delete(name);
    };
  }
}

/** Asks for a lock as `tryToLead` of runtime does. */
export function createElection(o: {
  readonly life: Life;
  readonly locks: LockTable;
  readonly faults: Faults;
  readonly weather: DatabaseWeather;
}): (name: string) => Promise<Leadership | undefined> {
  const { life, locks, faults } = o;
  const { world } = life;
  const query = createQuery(o);
  return async (name) => {
    let release: (() => void) | undefined;
    const isTaken = await query(() => {
      release ??= locks.take(name);
      // The server notices a dead session late.
      if (release !== undefined) life.onEnd(() => void world.schedule(world.random.between(0, sessionGoneMsMax), release as () => void));
      return release !== undefined;
    }).catch((thrown: unknown) => {
      // A session whose answer was lost is closed, and its lock with it.
      release?.();
      throw thrown;
    });
    if (!isTaken) return undefined;
    const lost = new AbortController();
    const probe = (): void => {
      if (lost.signal.aborted) return;
      if (faults.rateOf("lead_lost") > 0 && world.random.chance((faults.rateOf("lead_lost") * probePeriodMs) / 1_000)) {
        faults.noteFired("lead_lost");
        release?.();
        life.after(world.random.between(0, probePeriodMs), () => lost.abort());
      } else life.after(probePeriodMs, probe);
    };
    life.after(probePeriodMs, probe);
    return {
      lost: lost.signal,
      release: async () => {
        release?.();
      },
    };
  };
}
