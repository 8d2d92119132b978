import { connectPostgres } from "@florin/runtime/postgres";
import { type TestPostgres, testPostgres } from "@florin/runtime/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Batch, createPoster } from "../src/app/post-batches.ts";
import { readBookedEvent } from "../src/consumers/booked-event.ts";
import { lifeArbitrary } from "../src/domain/life-arbitrary.ts";
import { sampleId } from "../src/domain/samples.ts";
import { listEntriesOfAccount, listEntriesOfPayment, readAllBalances, readBalance, readTrialBalance } from "../src/store/books.ts";
import { batches, fullLife, makeBooks, type TestBooks } from "./books.ts";

let server: TestPostgres;
let books: TestBooks;
let databases = 0;

beforeAll(async () => {
  server = await testPostgres();
  books = await makeBooks(server, "florin_ledger");
});
afterAll(async () => {
  await books.close();
  await server.stop();
});

async function emptyBooks(): Promise<TestBooks> {
  databases += 1;
  return makeBooks(server, `florin_ledger_${databases}`);
}

function decoded(log: ReturnType<typeof batches>): Batch[] {
  return log.map(({ partition, throughPosition, events }) => ({
    partition,
    throughPosition,
    events: events.map(({ position, body }) => ({ position, event: readBookedEvent(position, body) })),
  }));
}

const payable = (number: number) => `merchant/${sampleId("merchant", number)}/payable`;

describe("posting a batch", () => {
  test("leaves entries, balances and positions that agree", async () => {
    const log = decoded(batches([fullLife(1), fullLife(2)], 100));
    expect(await createPoster(books.sql).post(log)).toEqual({ events: 18, transfers: 12 });
    const { balance } = await readBalance(books.sql, { name: payable(1), currency: "EUR" });
    expect(balance).toEqual({ debitsPosted: 250n, creditsPosted: 1_000n, debitsPending: 1_000n, creditsPending: 1_000n });
    const entries = await listEntriesOfPayment(books.sql, sampleId("payment", 1), { afterEntryId: 0n, limit: 100 });
    expect(entries.map(({ side, layer, amount, purpose }) => `${layer} ${side} ${amount} ${purpose}`)).toEqual([
      "pending debit 1000 hold",
      "pending credit 1000 hold",
      "pending debit 400 release",
      "pending credit 400 release",
      "posted debit 400 capture",
      "posted credit 400 capture",
      "pending debit 600 release",
      "pending credit 600 release",
      "posted debit 600 capture",
      "posted credit 600 capture",
      "posted debit 250 refund",
      "posted credit 250 refund",
    ]);
    const trial = await readTrialBalance(books.sql);
    expect(trial.lines).toEqual([
      { currency: "EUR", layer: "posted", debits: 2_500n, credits: 2_500n, accounts: 3 },
      { currency: "EUR", layer: "pending", debits: 4_000n, credits: 4_000n, accounts: 3 },
    ]);
  });

  test("delivered twice has no effect, by the same or by a new instance", async () => {
    const fresh = await emptyBooks();
    const log = decoded(batches([fullLife(1), fullLife(2), fullLife(3)], 4));
    const poster = createPoster(fresh.sql);
    for (const batch of log) await poster.post([batch]);
    const before = await readAllBalances(fresh.sql);
    for (const batch of log) expect(await poster.post([batch])).toEqual({ events: 0, transfers: 0 });
    expect(await createPoster(fresh.sql).post(log)).toEqual({ events: 0, transfers: 0 });
    expect(await readAllBalances(fresh.sql)).toEqual(before);
    await fresh.close();
  });

  test("by instances that race leaves each event posted once", async () => {
    const fresh = await emptyBooks();
    const lives = Array.from({ length: 60 }, (_, number) => fullLife(number));
    const log = decoded(batches(lives, 3));
    const instances = Array.from({ length: 4 }, () => createPoster(fresh.sql));
    // Every instance posts everything, in its own steps; each partition stays in order within an instance.
    const results = await Promise.all(
      instances.map(async (poster, number) => {
        let transfers = 0;
        for (let start = 0; start < log.length; start += number + 1) {
          for (let attempt = 0; attempt < 100; attempt++) {
            const posted = await poster.post(log.slice(start, start + number + 1)).catch(() => undefined);
            if (posted === undefined) continue;
            transfers += posted.transfers;
            break;
          }
        }
        return transfers;
      }),
    );
    expect(results.reduce((sum, transfers) => sum + transfers)).toBe(60 * 6);
    const [row] = await fresh.sql<{ count: bigint }[]>`SELECT count(*) AS count FROM transfers`;
    expect(row?.count).toBe(360n);
    await fresh.close();
  });

  test("that fails in the database leaves nothing, and may be repeated", async () => {
    const fresh = await emptyBooks();
    const [batch] = decoded(batches([fullLife(1)], 100));
    const owner = connectPostgres({ url: fresh.ownerUrl, name: "test", connectionsMax: 1 });
    await owner`ALTER TABLE balances ADD CONSTRAINT too_strict CHECK (credits_posted < 10)`;
    const poster = createPoster(fresh.sql);
    await expect(poster.post(batch ? [batch] : [])).rejects.toMatchObject({ name: "AppError", work: "not_done" });
    const counts =
      await fresh.sql`SELECT (SELECT count(*) FROM transfers) AS transfers, (SELECT max(p) FROM progress, unnest(positions) AS p) AS position`;
    expect(counts[0]).toEqual({ transfers: 0n, position: 0n });
    await owner`ALTER TABLE balances DROP CONSTRAINT too_strict`;
    await owner.end();
    expect(await poster.post(batch ? [batch] : [])).toEqual({ events: 9, transfers: 6 });
    await fresh.close();
  });
});

describe("the process's role", () => {
  test.each([
    "UPDATE transfers SET amount = 1",
    "DELETE FROM transfers",
    "TRUNCATE transfers",
    "DELETE FROM balances",
    "UPDATE accounts SET name = 'x'",
    "DELETE FROM progress",
    "INSERT INTO progress (is_only, positions) VALUES (true, '{}')",
    "DROP TABLE transfers",
  ])("may not %s", async (statement) => {
    await expect(books.sql.unsafe(statement)).rejects.toMatchObject({ code: "42501" });
  });

  test("cannot write a transfer of nothing, or from an account to itself", async () => {
    const insert = (debit: number, credit: number, amount: number) =>
      books.sql`INSERT INTO transfers (position, leg, is_pending, debit_account_id, credit_account_id, amount, occurred_at, payment_id, purpose, event_type)
        VALUES (999999, 0, false, ${debit}, ${credit}, ${amount}, now(), gen_random_uuid(), 'hold', 'payment_authorized')`;
    await expect(insert(1, 2, 0)).rejects.toMatchObject({ code: "23514" });
    await expect(insert(1, 1, 5)).rejects.toMatchObject({ code: "23514" });
  });
});

describe("entries of an account", () => {
  test("come in pages, oldest first, without gaps or repeats", async () => {
    const account = { name: "processor/simpay/receivable", currency: "" };
    const whole = await listEntriesOfAccount(books.sql, account, { afterEntryId: 0n, limit: 1_000 });
    expect(whole).toHaveLength(12);
    const paged = [];
    for (let after = 0n, pages = 0; pages < 10; pages++) {
      const page = await listEntriesOfAccount(books.sql, account, { afterEntryId: after, limit: 5 });
      paged.push(...page);
      after = page.at(-1)?.id ?? after;
    }
    expect(paged).toEqual(whole);
    expect(await listEntriesOfAccount(books.sql, { ...account, currency: "JPY" }, { afterEntryId: 0n, limit: 5 })).toEqual([]);
  });
});

test("any log, cut and repeated in any way, gives the same books", async () => {
  const lives = fc.uniqueArray(lifeArbitrary, { minLength: 1, maxLength: 8, selector: ({ paymentId }) => paymentId });
  const cuts = fc.array(fc.record({ size: fc.integer({ min: 1, max: 9 }), back: fc.nat({ max: 6 }) }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(lives, cuts, async (some, steps) => {
      const [whole, pieces] = [await emptyBooks(), await emptyBooks()];
      try {
        await createPoster(whole.sql).post(decoded(batches(some, 1_000)));
        const poster = createPoster(pieces.sql);
        const log = decoded(batches(some, 2));
        for (let start = 0, step = 0; start < log.length; step++) {
          const { size, back } = steps[step % steps.length] ?? { size: 1, back: 0 };
          await poster.post(log.slice(Math.max(0, start - back), start + size));
          start += size;
        }
        expect(await readAllBalances(pieces.sql)).toEqual(await readAllBalances(whole.sql));
        const { lines } = await readTrialBalance(pieces.sql);
        for (const line of lines) expect(line.debits).toBe(line.credits);
      } finally {
        await Promise.all([whole.close(), pieces.close()]);
      }
    }),
    { numRuns: 8 },
  );
});
