/** Granting live links: replicas on a real PostgreSQL, connectors processes as clocks with a lease. */
import { connectPostgres, createServiceDatabase, dropServiceDatabase, endPostgres, type Sql } from "@florin/runtime/postgres";
import { createLogger } from "@florin/runtime/telemetry";
import { type TestPostgres, testPostgres, untilTrue } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createLinkGranter } from "../src/app/grant-links.ts";
import type { Grant, GrantAnswer, LinkClient } from "../src/clients/link-client.ts";
import { migrate } from "../src/migrate.ts";
import { createLinkTerms } from "../src/store/link-terms.ts";
import { startLinkGranting } from "../src/workers/grant-links.ts";
import type { Worker } from "../src/workers/lead.ts";

const logger = createLogger({ service: "switch", level: "silent" });
const metrics = { count: () => undefined };
const rules = { validForMs: 500, marginMs: 100 };
const patienceMs = 15_000;

let server: TestPostgres;
let ownerUrl: string;
let appUrl: string;
let sql: Sql;
const workers: Worker[] = [];

beforeAll(async () => {
  server = await testPostgres();
  const { superuserUrl } = server;
  await dropServiceDatabase({ superuserUrl, database: "florin_switch" });
  ({ ownerUrl, appUrl } = await createServiceDatabase({
    superuserUrl,
    database: "florin_switch",
    ownerPassword: "owner",
    appPassword: "app",
  }));
  await migrate(ownerUrl);
  sql = connectPostgres({ url: appUrl, name: "test-links", connectionsMax: 4 });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});
afterAll(async () => {
  await endPostgres(sql);
  await server.stop();
});

/** A connectors process as the switch meets it. Its clock has nothing to do with ours. */
class ConnectorsDouble implements LinkClient {
  readonly processId: string;
  readonly #connector: string;
  readonly #aheadMs: number;
  /** When its lease began and ends, on our clock. */
  readonly held: { fromMs: number; untilMs: number; term: bigint }[] = [];
  #term = 0n;
  isAway = false;

  constructor(connector: string, processId: string, aheadMs: number) {
    this.#connector = connector;
    this.processId = processId;
    this.#aheadMs = aheadMs;
  }

  get hasLease(): boolean {
    return (this.held.at(-1)?.untilMs ?? 0) > performance.now();
  }

  async list(): Promise<readonly string[]> {
    this.#answer("asked");
    return [this.#connector];
  }

  async ask(): Promise<GrantAnswer> {
    return this.#answer("asked");
  }

  async grant(_connector: string, { term, validForMs, processId, clockMs }: Grant): Promise<GrantAnswer> {
    if (processId !== this.processId) return this.#answer("other_process");
    if (term < this.#term) return this.#answer("lower_term");
    this.#term = term;
    const fromMs = performance.now();
    const untilMs = Number(clockMs) - this.#aheadMs + validForMs;
    if (untilMs <= fromMs) return this.#answer("expired");
    this.held.push({ fromMs, untilMs, term });
    return this.#answer("held");
  }

  #answer(result: GrantAnswer["result"]): GrantAnswer {
    if (this.isAway) throw new Error("nobody answers");
    return { result, processId: this.processId, clockMs: BigInt(Math.floor(performance.now() + this.#aheadMs)) };
  }
}

function startReplica(client: LinkClient): Worker {
  const worker = startLinkGranting({ client, sql, databaseUrl: appUrl, metrics, logger, rules });
  workers.push(worker);
  return worker;
}

/** No process was granted links before the lease of every other had ended. */
function expectApart(processes: readonly ConnectorsDouble[]): void {
  const all = processes
    .flatMap(({ processId, held }) => held.map((lease) => ({ processId, ...lease })))
    .toSorted((a, b) => a.fromMs - b.fromMs);
  for (const [index, lease] of all.entries())
    for (const other of all.slice(0, index)) if (other.processId !== lease.processId) expect(other.untilMs).toBeLessThan(lease.fromMs);
}

test("of two replicas with a connectors process each, one grants, and the other process gets nothing", async () => {
  const [a, b] = [new ConnectorsDouble("first", "a", 0), new ConnectorsDouble("first", "b", 9_000_000)];
  startReplica(a);
  startReplica(b);
  await untilTrue(() => a.held.length + b.held.length >= 15, patienceMs);
  expect([a.held.length, b.held.length].toSorted((x, y) => x - y)[0]).toBe(0);
});

test("when the process with the links is gone, the other gets them, and never before the lease is over", async () => {
  const [a, b] = [new ConnectorsDouble("second", "a", 5_000), new ConnectorsDouble("second", "b", 9_000_000)];
  startReplica(a);
  await untilTrue(() => a.held.length > 2, patienceMs);
  startReplica(b);
  a.isAway = true;
  await untilTrue(() => b.held.length > 2, patienceMs);
  a.isAway = false;
  b.isAway = true;
  const before = a.held.length;
  await untilTrue(() => a.held.length > before + 2, patienceMs);
  expectApart([a, b]);
  expect(a.held.at(-1)?.term).toBeGreaterThan(b.held.at(-1)?.term ?? 0n);
});

test("a process that was started anew is another one: it waits, and gets a higher term", async () => {
  const [a, again] = [new ConnectorsDouble("third", "a", 0), new ConnectorsDouble("third", "a again", 0)];
  let current = a;
  startReplica({
    list: () => current.list(),
    ask: () => current.ask(),
    grant: (_connector, grant) => current.grant("third", grant),
  });
  await untilTrue(() => a.held.length > 2, patienceMs);
  current = again;
  await untilTrue(() => again.held.length > 2, patienceMs);
  expectApart([a, again]);
  expect(again.held[0]?.term).toBeGreaterThan(a.held.at(-1)?.term ?? 0n);
});

test("when the replica that leads ends, another goes on, and the process keeps its links", async () => {
  const process = new ConnectorsDouble("fourth", "a", 0);
  // A validity that outlasts the second between two elections.
  const longer = { validForMs: 4_000, marginMs: 100 };
  const replica = () => {
    const worker = startLinkGranting({ client: process, sql, databaseUrl: appUrl, metrics, logger, rules: longer });
    workers.push(worker);
    return worker;
  };
  const first = replica();
  await untilTrue(() => process.held.length > 0, patienceMs);
  replica();
  await first.stop();
  const terms = () => new Set(process.held.map(({ term }) => term));
  await untilTrue(() => terms().size > 1, patienceMs);
  for (const [index, lease] of process.held.entries()) {
    const before = process.held[index - 1];
    if (before !== undefined) expect(lease.fromMs).toBeLessThan(before.untilMs);
  }
});

test("the term rises over restarts of every replica", async () => {
  const process = new ConnectorsDouble("fifth", "a", 0);
  const seen: bigint[] = [];
  for (let times = 0; times < 3; times++) {
    const before = process.held.length;
    const worker = startReplica(process);
    await untilTrue(() => process.held.length > before, patienceMs);
    await worker.stop();
    seen.push(process.held.at(-1)?.term ?? 0n);
  }
  expect(seen).toEqual(seen.toSorted((x, y) => Number(x - y)));
  expect(new Set(seen).size).toBe(3);
});

test("a leader that lost its lock without knowing it grants nothing more", async () => {
  const process = new ConnectorsDouble("sixth", "a", 0);
  const terms = createLinkTerms(sql);
  const granter = () =>
    createLinkGranter({ connector: "sixth", terms, client: process, rules, monotonicMs: () => performance.now(), metrics });
  const old = granter();
  await old.begin();
  expect([await old.round(), await old.round()]).toEqual(["waiting", "granted"]);
  const young = granter();
  await young.begin();
  expect(await old.round()).toBe("deposed");
  expect(process.held.length).toBe(1);
  expect([await young.round(), await young.round()]).toEqual(["waiting", "granted"]);
});

test("the database refuses a term that does not rise", async () => {
  const owner = connectPostgres({ url: ownerUrl, name: "test-owner", connectionsMax: 1 });
  const { term } = await createLinkTerms(sql).begin("seventh");
  await expect(owner`UPDATE link_terms SET term = ${term.toString()}::bigint WHERE connector = 'seventh'`).rejects.toThrow("only rises");
  await endPostgres(owner);
});
