/**
 * What list support adds to the price of an authorization: the same rounds with nothing, with the partial indexes, and with a projection
 * that follows the log, in databases that differ in nothing else.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { makeId, required } from "@florin/kernel";
import { connectPostgres, type Sql } from "@florin/runtime/postgres";
import type { Metrics } from "@florin/runtime/telemetry";
import { draft, recordAuthorization, requestAuthorization, type Transition } from "../../src/domain/payment/index.ts";
import { sampleAttempt, sampleCreate, sampleLifetimeMs, sampleOrigin, sampleOutcomes } from "../../src/domain/payment/samples.ts";
import { createLogWriter, type LogWriter } from "../../src/store/log-writer.ts";
import { serverMicros } from "../cpu.ts";
import { type Feed, followLog, projectionSchema } from "./projection.ts";

type Variant = {
  readonly name: string;
  readonly database: string;
  /** Run once by the owner of a copy of the migrated database. */
  readonly change: string;
  readonly follow?: { readonly feed: Feed; readonly everyMs: number };
};

const dropIndexes = "DROP INDEX payment_events_first_by_merchant, payment_events_first_by_reference";
const projected = `${dropIndexes}; ${projectionSchema}`;

const variants: readonly Variant[] = [
  { name: "nothing", database: "bench_nothing", change: dropIndexes },
  { name: "partial indexes", database: "bench_indexes", change: "" },
  { name: "projection, 100 ms", database: "bench_client_100", change: projected, follow: { feed: "client", everyMs: 100 } },
  { name: "projection, 1 s", database: "bench_client_1000", change: projected, follow: { feed: "client", everyMs: 1_000 } },
  { name: "projection, 1 s, in SQL", database: "bench_server_1000", change: projected, follow: { feed: "server", everyMs: 1_000 } },
];

const merchants = Array.from({ length: 100 }, () => makeId("merchant", Date.now(), randomBytes(10)));
const authorizationsPerRound = 5_000;
const inFlight = 256;
/** The simulator's. A slower acquirer parts more outcomes from their intents, which a projection pays for with updates. */
const acquirerMs = 20;
const rounds = 9;
const pauseMs = 4_000;

type Costs = {
  readonly client: number;
  readonly postgres: number;
  readonly vacuum: number;
  readonly wal: number;
  readonly bytes: number;
  readonly perSecond: number;
};

export type WriteSetting = {
  readonly postgresPid: number;
  readonly superuserUrl: string;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly metrics: Metrics;
};

/**
 * Rounds alternate between the variants, and what a variant adds is taken against the ruler's round beside it: what else the machine does
 * falls on both. Answers medians per authorization, and the middle half of what was added, because CPU on a shared machine is noisy.
 */
export async function compareWrites(setting: WriteSetting): Promise<Record<string, string | number>[]> {
  for (const variant of variants) await prepare(setting, variant);
  const taken = new Map<Variant, Costs[]>(variants.map((variant) => [variant, []]));
  // The first time around warms up the code, and the pages that are written whole after a checkpoint.
  for (let count = 0; count <= rounds; count++) {
    // Each begins in turn: whoever comes first after the rest finds a colder machine.
    for (let turn = 0; turn < variants.length; turn++) {
      const variant = required(variants[(turn + count) % variants.length], "a variant");
      const costs = await round(setting, variant);
      if (count > 0) taken.get(variant)?.push(costs);
    }
    // The machine is shared: it gets a rest from us.
    await sleep(pauseMs);
  }
  const ruler = required(taken.get(required(variants[0], "the ruler")), "rounds of the ruler");
  return variants.map((variant) => rowOf(variant.name, required(taken.get(variant), "rounds of a variant"), ruler));
}

async function prepare({ superuserUrl, ownerUrl }: WriteSetting, { database, change }: Variant): Promise<void> {
  const superuser = connectPostgres({ url: superuserUrl, name: "bench-setup", connectionsMax: 1 });
  await superuser.unsafe(`CREATE DATABASE ${database} TEMPLATE florin_switch OWNER florin_switch_owner`);
  await superuser.end();
  const owner = connectPostgres({ url: inDatabase(ownerUrl, database), name: "bench-setup", connectionsMax: 1 });
  if (change !== "") await owner.unsafe(change);
  await owner.end();
}

function inDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

async function round(setting: WriteSetting, { database, follow }: Variant): Promise<Costs> {
  const appUrl = inDatabase(setting.appUrl, database);
  const sql = connectPostgres({ url: appUrl, name: "bench-writer", connectionsMax: 2, isPlannedOnce: true });
  const owner = connectPostgres({ url: inDatabase(setting.ownerUrl, database), name: "bench-gauge", connectionsMax: 1 });
  const writer = createLogWriter({ sql, metrics: setting.metrics });
  const projection = follow === undefined ? undefined : await followLog({ url: appUrl, ...follow });
  const before = await gauge(setting, owner);
  const startedMs = performance.now();
  await authorizeMany(writer);
  const seconds = (performance.now() - startedMs) / 1_000;
  await projection?.drain();
  const after = await gauge(setting, owner);
  // Superseded rows are removed sooner or later, and that is work too. The log has none: it is never changed.
  if (follow !== undefined) await owner.unsafe("VACUUM (INDEX_CLEANUP ON) payments_current");
  const cleaned = await gauge(setting, owner);
  await writer.close();
  await Promise.all([sql.end(), owner.end()]);
  const each = (amount: number) => amount / authorizationsPerRound;
  return {
    client: each(after.client - before.client),
    postgres: each(after.postgres - before.postgres),
    vacuum: each(cleaned.postgres - after.postgres),
    wal: each(cleaned.wal - before.wal),
    bytes: each(cleaned.bytes - before.bytes),
    perSecond: authorizationsPerRound / seconds,
  };
}

async function gauge({ postgresPid }: WriteSetting, owner: Sql) {
  const [row] = await owner<{ wal: string; bytes: string }[]>`
    SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text AS wal,
      (SELECT sum(pg_table_size(oid) + pg_indexes_size(oid)) FROM pg_class
       WHERE relkind = 'r' AND (relname LIKE 'payment\_events\_%' OR relname = 'payments_current'))::text AS bytes`;
  const own = process.cpuUsage();
  return { client: own.user + own.system, postgres: serverMicros(postgresPid), wal: Number(row?.wal), bytes: Number(row?.bytes) };
}

async function authorizeMany(writer: LogWriter): Promise<void> {
  let begun = 0;
  const worker = async () => {
    while (begun < authorizationsPerRound) await authorizeOnce(writer, begun++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

async function authorizeOnce(log: LogWriter, number: number): Promise<void> {
  const nowMs = Date.now();
  const random = randomBytes(20);
  const attemptId = makeId("attempt", nowMs, random.subarray(10));
  const merchantId = required(merchants[number % merchants.length], "a merchant");
  const create = sampleCreate({ id: makeId("payment", nowMs, random), merchantId, merchantReference: `order-${nowMs}-${number}` });
  const context = { nowMs, origin: sampleOrigin };
  const intent = transitionOf(requestAuthorization(draft(create, nowMs), sampleAttempt(attemptId), context));
  const first = await log.append(intent, { key: attemptId, requestHash: Buffer.alloc(32, 1) });
  await sleep(acquirerMs);
  const answer = { attemptId, outcome: sampleOutcomes.approved };
  const outcome = recordAuthorization(intent.payment, answer, { ...context, authorizationLifetimeMs: sampleLifetimeMs });
  const second = await log.append(transitionOf(outcome), undefined);
  if (first.kind !== "appended" || second.kind !== "appended") throw new Error(`${first.kind} ${second.kind}`);
}

function transitionOf(answer: { kind: string; transition?: Transition }): Transition {
  if (answer.transition === undefined) throw new Error(answer.kind);
  return answer.transition;
}

function rowOf(name: string, taken: readonly Costs[], ruler: readonly Costs[]): Record<string, string | number> {
  const median = (of: (costs: Costs) => number) => quantile(taken.map(of), 0.5);
  const added = (of: (costs: Costs) => number) =>
    taken.map((costs, place) => of(costs) - of(required(ruler[place], "the ruler beside it")));
  const serverOf = (costs: Costs) => costs.postgres + costs.vacuum;
  const cpuOf = (costs: Costs) => costs.client + serverOf(costs);
  return {
    lists: name,
    "client µs": median((costs) => costs.client).toFixed(0),
    "PostgreSQL µs": median((costs) => costs.postgres).toFixed(0),
    "vacuum µs": median((costs) => costs.vacuum).toFixed(0),
    ...(taken !== ruler && {
      "added µs": spread(added(cpuOf)),
      "of it PostgreSQL": spread(added(serverOf)),
      "added WAL bytes": spread(added((costs) => costs.wal)),
      "added stored bytes": spread(added((costs) => costs.bytes)),
    }),
    "WAL bytes": median((costs) => costs.wal).toFixed(0),
    "stored bytes": median((costs) => costs.bytes).toFixed(0),
    "per s": median((costs) => costs.perSecond).toFixed(0),
  };
}

/** Median, and first and third quartile. */
function spread(values: readonly number[]): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(values, share).toFixed(0));
  return `${middle} (${low} to ${high})`;
}

/** Of an odd number of values; the nearest one there is. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return required(sorted[Math.round((sorted.length - 1) * share)], "a value");
}
