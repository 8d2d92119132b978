/** What a statement that breaks off in the middle of its rows leaves to the next one on its connection: nothing. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectPostgres, endPostgres, type Sql, toDatabaseFault } from "../src/postgres/index.ts";
import { type TestPostgres, testPostgres } from "../src/testing/index.ts";

let server: TestPostgres;
beforeAll(async () => {
  server = await testPostgres();
  await useOnce((sql) => sql`CREATE TABLE IF NOT EXISTS written (n int)`);
});
afterAll(async () => {
  await useOnce((sql) => sql`DROP TABLE written`);
  await server.stop();
});

async function useOnce(use: (sql: Sql) => PromiseLike<unknown>): Promise<void> {
  const sql = connectPostgres({ url: server.superuserUrl, name: "whole", connectionsMax: 1 });
  await use(sql);
  await endPostgres(sql);
}

/** More than the server keeps back before it sends (8 KiB): rows are on their way when the statement ends. */
const rowsSent = (sql: Sql) => sql`SELECT n, repeat('x', 500) FROM generate_series(1, 200) AS n`;
const breaks: readonly (readonly [string, (sql: Sql) => PromiseLike<unknown>, number])[] = [
  ["an error of a row", (sql) => sql`SELECT repeat('x', 500), 1 / (100 - n) FROM generate_series(1, 200) AS n`, 30_000],
  ["its time", (sql) => sql`SELECT repeat('x', 500), CASE WHEN n > 100 THEN pg_sleep(5) END FROM generate_series(1, 200) AS n`, 300],
  [
    "the end of its session",
    (sql) =>
      sql`SELECT repeat('x', 500), CASE WHEN n = 100 THEN pg_terminate_backend(pg_backend_pid()) END FROM generate_series(1, 200) AS n`,
    30_000,
  ],
];
const followers: readonly (readonly [string, (sql: Sql) => PromiseLike<readonly unknown[]>, readonly unknown[]])[] = [
  ["rows", (sql) => sql`SELECT n FROM generate_series(1, 3) AS n`, [{ n: 1 }, { n: 2 }, { n: 3 }]],
  ["one row, with a parameter", (sql) => sql`SELECT ${7}::int AS n`, [{ n: 7 }]],
  ["values", (sql) => sql`SELECT n FROM generate_series(1, 2) AS n`.values(), [[1], [2]]],
  ["two statements at once", (sql) => sql`SELECT 1 AS n; SELECT 2 AS n`.simple(), [[{ n: 1 }], [{ n: 2 }]]],
  ["no row", (sql) => sql`SELECT 1 AS n WHERE false`, []],
  ["what it wrote", (sql) => sql`INSERT INTO written VALUES (1), (2) RETURNING n`, [{ n: 1 }, { n: 2 }]],
];

test.each(breaks.flatMap(([why, breakOff, ms]) => followers.map(([what, follow, rows]) => ({ why, breakOff, ms, what, follow, rows }))))(
  "a result that $why broke off: the next one is $what",
  async ({ breakOff, ms, follow, rows }) => {
    const sql = connectPostgres({ url: server.superuserUrl, name: "whole", connectionsMax: 1, statementTimeoutMs: ms });
    try {
      expect(await rowsSent(sql)).toHaveLength(200);
      const broken = Promise.resolve(breakOff(sql)).catch(toDatabaseFault);
      expect(await broken).toBeInstanceOf(Error);
      // The first after a session that the server ended may be told so in its place.
      const answer = await Promise.resolve(follow(sql)).catch(async (thrown) => {
        expect(toDatabaseFault(thrown)).toMatchObject({ code: "unavailable", work: "unknown", sqlState: "57P01" });
        return follow(sql);
      });
      expect([...answer].map((one) => (Array.isArray(one) ? [...one] : one))).toEqual(rows);
      expect(await rowsSent(sql)).toHaveLength(200);
    } finally {
      await endPostgres(sql);
    }
  },
);
