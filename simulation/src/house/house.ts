/** What outlives every process of a run: servers, the acquirer, the wall clocks of the machines. */
import type { World } from "../engine/world.ts";
import { Acquirer, type Strategy } from "../fakes/acquirer.ts";
import { BooksStore } from "../fakes/books-store.ts";
import { Broker } from "../fakes/broker.ts";
import { CacheServer } from "../fakes/cache.ts";
import type { Line } from "../fakes/link.ts";
import { LockTable } from "../fakes/locks.ts";
import type { DatabaseWeather } from "../fakes/log-access.ts";
import { LogStore, type StoredRow } from "../fakes/log-store.ts";
import { createFaults, type Faults } from "../faults.ts";

export type House = {
  readonly world: World;
  readonly faults: Faults;
  readonly store: LogStore;
  readonly locks: LockTable;
  readonly database: DatabaseWeather;
  readonly cache: CacheServer;
  readonly broker: Broker;
  /** By the names of their connectors, in the order of the house. */
  readonly acquirers: ReadonlyMap<string, Acquirer>;
  /** No acquirer can be asked anything: their files decide. */
  readonly awaitsFile: boolean;
  readonly books: BooksStore;
  readonly vault: { isAway: boolean };
  /** Between the switch and its connectors. */
  readonly connectorLine: Line;
  /** The date. It may leap for everybody at once, so that holds run out within a run. */
  readonly calendar: { leaptMs: number; readonly holdsForMs: number };
  /** Payments whose making was claimed while the cache gave no answer. */
  readonly madeWithoutCache: Set<string>;
};

const hourMs = 3_600_000;
const holdHours = [1, 7 * 24] as const;

/** As the connectors declare them; the first most often, as in life. */
const strategies: readonly Strategy[] = [
  { unknownStrategy: "query", reversal: true },
  { unknownStrategy: "query", reversal: true },
  { unknownStrategy: "query", reversal: true },
  { unknownStrategy: "query", reversal: false },
  { unknownStrategy: "query", reversal: false },
  { unknownStrategy: "repeat", reversal: true },
  { unknownStrategy: "repeat", reversal: false },
  { unknownStrategy: "reverse", reversal: true },
  { unknownStrategy: "reverse", reversal: true },
  { unknownStrategy: "file", reversal: false },
];

export function buildHouse(world: World): House {
  const { random } = world;
  const faults = createFaults(world);
  const first = random.pick(strategies);
  const awaitsFile = first.unknownStrategy === "file";
  // Two acquirers with files only, or none: what is left open at the end is told apart by the run, not by the acquirer.
  const second = random.pick(strategies.filter(({ unknownStrategy }) => (unknownStrategy === "file") === awaitsFile));
  return {
    world,
    faults,
    store: new LogStore((rows) => noteRows(world, rows)),
    locks: new LockTable(),
    database: { isAway: false },
    cache: new CacheServer(world),
    broker: new Broker(),
    acquirers: new Map([
      ["simpay", makeAcquirer(world, first)],
      ["other", makeAcquirer(world, second)],
    ]),
    awaitsFile,
    books: new BooksStore(),
    vault: { isAway: false },
    connectorLine: { isCut: false },
    calendar: { leaptMs: 0, holdsForMs: random.pick(holdHours) * hourMs },
    madeWithoutCache: new Set(),
  };
}

function makeAcquirer(world: World, strategy: Strategy): Acquirer {
  const { random } = world;
  return new Acquirer(world, {
    strategy,
    declineRatio: random.between(0, 0.15),
    softDeclineRatio: random.between(0, 1),
    slowRefundRatio: random.between(0, 0.8),
    failedRefundRatio: random.between(0, 0.2),
    refundMs: { min: 100, max: 15_000 },
  });
}

function noteRows(world: World, rows: readonly StoredRow[]): void {
  for (const { type, paymentId, sequence, position } of rows) world.note("committed", type, paymentId, sequence, position);
}
