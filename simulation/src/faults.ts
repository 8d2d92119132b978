/**
 * The menu of faults. Each is armed for a whole run with the same chance, and an armed one fires at each opportunity with a probability
 * of its own, drawn for the run. After `stop` nothing fires any more.
 */
import type { World } from "./engine/world.ts";

const armedRatio = 0.25;
/** Milliseconds that faults go on. */
const usualMs = { min: 5_000, max: 12_000 };
/**
 * Some runs are sieges: more kinds at once, and for so long that recovery works under fire, too. What it believes after 30 s it would
 * otherwise ask about in peace.
 */
const siege = { ratio: 0.2, armedRatio: 0.5, ms: { min: 35_000, max: 90_000 } };

/** Highest probability per opportunity; for the weather kinds (`…_away` and the like): windows per simulated second. */
const menu = {
  // Between our own processes, and between clients and the switch.
  message_dropped: 0.08,
  message_delayed: 0.1,
  message_duplicated: 0.1,
  link_down: 0.05,
  // Processes.
  switch_crashed: 0.004,
  switch_crashed_at_point: 0.02,
  ledger_crashed: 0.01,
  clock_jumped: 0.3,
  // PostgreSQL.
  statement_refused: 0.05,
  answer_lost_after_commit: 0.05,
  answer_lost_before_commit: 0.05,
  commit_held_back: 0.05,
  database_away: 0.2,
  lead_lost: 0.2,
  // Redis.
  cache_away: 0.3,
  cache_silent: 0.05,
  cache_emptied: 0.3,
  cache_failed_over: 0.3,
  // JetStream.
  broker_away: 0.2,
  broker_emptied: 0.2,
  broker_lost_tail: 0.2,
  broker_repeated: 0.1,
  broker_silent: 0.05,
  // The acquirer and the way to it.
  connectors_cut_off: 0.05,
  acquirer_silent_before: 0.1,
  acquirer_silent_after: 0.1,
  acquirer_late: 0.1,
  acquirer_hears_twice: 0.1,
  acquirer_unreachable: 0.1,
  acquirer_contradicts: 0.3,
  query_unanswered: 0.3,
  // The vault.
  vault_away: 0.1,
} as const satisfies Record<string, number>;

export type FaultKind = keyof typeof menu;
export const faultKinds = Object.keys(menu) as readonly FaultKind[];

export type Faults = {
  /** True when this opportunity is taken. */
  fires(kind: FaultKind): boolean;
  /** The probability drawn for this run; 0 when the fault is not armed or faults have stopped. */
  rateOf(kind: FaultKind): number;
  /** For faults whose opportunity is a moment of the weather. */
  noteFired(kind: FaultKind): void;
  stop(): void;
  /** When to stop, milliseconds from the beginning. */
  readonly lastForMs: number;
  readonly hasStopped: boolean;
  readonly fired: ReadonlyMap<FaultKind, number>;
};

export function createFaults(world: World): Faults {
  const random = world.random.fork();
  const rates = new Map<FaultKind, number>();
  const isSiege = random.chance(siege.ratio);
  const { min, max } = isSiege ? siege.ms : usualMs;
  const lastForMs = random.between(min, max);
  for (const kind of faultKinds) {
    const rate = menu[kind] * random.between(0.1, 1);
    if (random.chance(isSiege ? siege.armedRatio : armedRatio)) rates.set(kind, rate);
  }
  const fired = new Map<FaultKind, number>();
  let hasStopped = false;
  const noteFired = (kind: FaultKind): void => {
    fired.set(kind, (fired.get(kind) ?? 0) + 1);
    world.note("fault", kind);
  };
  return {
    fired,
    lastForMs,
    get hasStopped() {
      return hasStopped;
    },
    rateOf: (kind) => (hasStopped ? 0 : (rates.get(kind) ?? 0)),
    noteFired,
    fires(kind) {
      const rate = hasStopped ? undefined : rates.get(kind);
      if (rate === undefined || !random.chance(rate)) return false;
      noteFired(kind);
      return true;
    },
    stop() {
      hasStopped = true;
    },
  };
}
