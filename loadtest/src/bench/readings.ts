/**
 * What is read at the beginning and at the end of a measured time: CPU by process, and what PostgreSQL has written.
 *
 * The simulator is the outside world: its process is left out, and so are the PostgreSQL backends of its database and their share of the
 * WAL (PostgreSQL 18 tells both by backend). PostgreSQL's shared processes (WAL writer, checkpointer) are counted whole.
 */
import postgres from "postgres";
import type { UpFile } from "../stack/up-file.ts";
import { cpuMicrosOf, cpuMicrosOfFamily, residentBytesOf } from "./cpu.ts";

/** The parts whose cost is a payment's cost. */
export const countedParts = ["edge", "switch", "connectors", "vault", "ledger", "postgres", "redis", "nats"] as const;
export type Part = (typeof countedParts)[number];

export type Reading = {
  readonly cpuMicros: ReadonlyMap<string, number>;
  /** PostgreSQL's by database or background process. */
  readonly postgresMicros: ReadonlyMap<string, number>;
  readonly walFlushes: number;
  readonly walBytes: number;
  readonly atMs: number;
};

const simulatorDatabase = "florin_simulator";
type Sql = ReturnType<typeof postgres>;

export type Reader = { read(): Promise<Reading>; close(): Promise<void> };

export function createReader(up: UpFile): Reader {
  const sql = postgres(up.databaseUrl, { max: 1, connection: { application_name: "florin-bench" }, onnotice: () => {} });
  return { read: () => read(up, sql), close: () => sql.end({ timeout: 5 }) };
}

async function read(up: UpFile, sql: Sql): Promise<Reading> {
  const atMs = performance.now();
  const cpuMicros = new Map<string, number>();
  for (const { name, pid } of up.processes) if (name !== "postgres") cpuMicros.set(name, (cpuMicros.get(name) ?? 0) + cpuMicrosOf(pid));
  const family = cpuMicrosOfFamily(up.processes.find(({ name }) => name === "postgres")?.pid ?? 0);
  const [backends, wal] = await Promise.all([backendNames(sql), readWal(sql)]);
  const postgresMicros = new Map<string, number>([["postmaster and ended backends", family.parent]]);
  for (const [pid, micros] of family.children) {
    const name = backends.get(pid) ?? "other";
    postgresMicros.set(name, (postgresMicros.get(name) ?? 0) + micros);
  }
  let total = 0;
  for (const [name, micros] of postgresMicros) if (name !== simulatorDatabase) total += micros;
  cpuMicros.set("postgres", total);
  return { cpuMicros, postgresMicros, ...wal, atMs };
}

async function backendNames(sql: Sql): Promise<ReadonlyMap<number, string>> {
  const rows = await sql<{ pid: number; name: string }[]>`SELECT pid, coalesce(datname::text, backend_type) AS name FROM pg_stat_activity`;
  return new Map(rows.map(({ pid, name }) => [pid, name]));
}

/** WAL by everybody but the simulator. Backends report their counters when they rest: a reading may be a second behind. */
async function readWal(sql: Sql): Promise<{ walFlushes: number; walBytes: number }> {
  const [version] = await sql<{ number: number }[]>`SELECT current_setting('server_version_num')::int AS number`;
  if ((version?.number ?? 0) < 180_000) {
    const [row] = await sql<
      { flushes: number; bytes: number }[]
    >`SELECT wal_sync::float8 AS flushes, wal_bytes::float8 AS bytes FROM pg_stat_wal`;
    return { walFlushes: row?.flushes ?? 0, walBytes: row?.bytes ?? 0 };
  }
  const [row] = await sql<{ flushes: number; bytes: number }[]>`
    SELECT (SELECT coalesce(sum(fsyncs), 0) FROM pg_stat_io WHERE object = 'wal')::float8
         - (SELECT coalesce(sum(io.fsyncs), 0) FROM pg_stat_activity a, pg_stat_get_backend_io(a.pid) io
            WHERE a.datname = ${simulatorDatabase} AND io.object = 'wal')::float8 AS flushes,
           (SELECT wal_bytes FROM pg_stat_wal)::float8
         - (SELECT coalesce(sum(w.wal_bytes), 0) FROM pg_stat_activity a, pg_stat_get_backend_wal(a.pid) w
            WHERE a.datname = ${simulatorDatabase})::float8 AS bytes`;
  return { walFlushes: row?.flushes ?? 0, walBytes: row?.bytes ?? 0 };
}

/** Resident memory by process; PostgreSQL's shared buffers are counted in each backend, so it is left out. */
export function residentBytes(up: UpFile): ReadonlyMap<string, number> {
  return new Map(up.processes.filter(({ name }) => name !== "postgres").map(({ name, pid }) => [name, residentBytesOf(pid)]));
}
