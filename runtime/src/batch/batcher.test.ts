import { AppError } from "@florin/kernel";
import { expect, test } from "vitest";
import { createBatcher, type Settled } from "./batcher.ts";

const ok = <T>(value: T): Settled<T> => ({ ok: true, value });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A batcher whose batches are answered by hand. */
function byHand(o: { batchMax?: number; queueDepthMax?: number; concurrencyMax?: number; besideMin?: number } = {}) {
  const batches: { members: readonly number[]; answer: (answers: readonly Settled<number>[]) => void; fail: (error: unknown) => void }[] =
    [];
  const batcher = createBatcher<number, number>({
    name: "by-hand",
    batchMax: 4,
    queueDepthMax: 8,
    ...o,
    run: (members) => new Promise((answer, fail) => batches.push({ members, answer, fail })),
  });
  return { batcher, batches };
}

test("members submitted in one turn share a batch, and each gets its own answer", async () => {
  const { batcher, batches } = byHand();
  const answers = Promise.all([1, 2, 3].map((member) => batcher.submit(member)));
  expect(batches).toHaveLength(0);
  await turn();
  expect(batches.map((batch) => batch.members)).toEqual([[1, 2, 3]]);
  batches[0]?.answer([ok(10), ok(20), ok(30)]);
  expect(await answers).toEqual([10, 20, 30]);
});

test("the next batch is what arrived while the last one was in flight", async () => {
  const { batcher, batches } = byHand();
  const first = batcher.submit(1);
  await turn();
  const rest = [2, 3, 4].map((member) => batcher.submit(member));
  await turn();
  expect(batches).toHaveLength(1);
  expect(batcher.depth).toBe(3);
  expect(batcher.inFlight).toBe(1);
  batches[0]?.answer([ok(1)]);
  await first;
  await turn();
  expect(batches[1]?.members).toEqual([2, 3, 4]);
  batches[1]?.answer([ok(2), ok(3), ok(4)]);
  await Promise.all(rest);
});

test("a batch starts beside a running one when enough wait, else after it", async () => {
  const { batcher, batches } = byHand({ batchMax: 8, concurrencyMax: 2, besideMin: 3 });
  const answers = [batcher.submit(1)];
  await turn();
  answers.push(batcher.submit(2), batcher.submit(3));
  await turn();
  expect(batches.map((batch) => batch.members)).toEqual([[1]]);
  answers.push(batcher.submit(4));
  await turn();
  expect(batches.map((batch) => batch.members)).toEqual([[1], [2, 3, 4]]);
  answers.push(batcher.submit(5), batcher.submit(6), batcher.submit(7));
  batches[1]?.answer([ok(2), ok(3), ok(4)]);
  await turn();
  await turn();
  expect(batches[2]?.members).toEqual([5, 6, 7]);
  answers.push(batcher.submit(8));
  for (const at of [0, 2]) batches[at]?.answer(batches[at].members.map(ok));
  await turn();
  await turn();
  batches[3]?.answer([ok(8)]);
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test("one bad member does not fail its neighbours", async () => {
  const { batcher, batches } = byHand();
  const answers = Promise.allSettled([1, 2, 3].map((member) => batcher.submit(member)));
  await turn();
  const bad = new AppError("payment_busy", "no", { work: "not_done" });
  batches[0]?.answer([ok(1), { ok: false, error: bad }, ok(3)]);
  expect(await answers).toEqual([
    { status: "fulfilled", value: 1 },
    { status: "rejected", reason: bad },
    { status: "fulfilled", value: 3 },
  ]);
});

test("a full queue is answered overloaded, not_done, and what waits is not disturbed", async () => {
  const { batcher, batches } = byHand({ batchMax: 2, queueDepthMax: 3 });
  const accepted = [1, 2].map((member) => batcher.submit(member));
  accepted.push(...[3, 4, 5].map((member) => batcher.submit(member)));
  await expect(batcher.submit(6)).rejects.toMatchObject({ code: "overloaded", work: "not_done" });
  expect(batcher.takeDepthPeak()).toBe(3);
  while (batches.length < 3) {
    const batch = batches.at(-1);
    batch?.answer(batch.members.map(ok));
    await turn();
  }
  batches[2]?.answer([ok(5)]);
  expect(await Promise.all(accepted)).toEqual([1, 2, 3, 4, 5]);
  expect(batcher.takeDepthPeak()).toBe(3);
  expect(batcher.takeDepthPeak()).toBe(0);
});

test("a full batch starts at once, and no batch is larger than its bound", async () => {
  const { batcher, batches } = byHand({ batchMax: 2, queueDepthMax: 100, concurrencyMax: 3 });
  const answers = [1, 2, 3, 4, 5, 6, 7].map((member) => batcher.submit(member));
  expect(batches.map((batch) => batch.members)).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  for (const batch of batches.slice(0, 3)) batch.answer(batch.members.map(ok));
  await turn();
  await turn();
  batches[3]?.answer([ok(7)]);
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("a run that fails, or throws at once, fails its own batch only", async () => {
  let calls = 0;
  const batcher = createBatcher<number, number>({
    name: "sometimes",
    batchMax: 10,
    queueDepthMax: 10,
    run: (members) => {
      calls += 1;
      if (calls === 1) throw new AppError("unavailable", "database away", { work: "unknown" });
      if (calls === 2) return Promise.reject(new Error("socket hang up"));
      return Promise.resolve(members.map(ok));
    },
  });
  await expect(batcher.submit(1)).rejects.toMatchObject({ code: "unavailable", work: "unknown", message: "database away" });
  await expect(batcher.submit(2)).rejects.toMatchObject({ code: "internal", work: "unknown" });
  expect(await batcher.submit(3)).toBe(3);
});

test.each([0, 1, 3])("a run that answers %i of 2 members is a bug: nobody can say whose answer is whose", async (count) => {
  const { batcher, batches } = byHand();
  const answers = Promise.allSettled([1, 2].map((member) => batcher.submit(member)));
  await turn();
  batches[0]?.answer(Array.from({ length: count }, () => ok(0)));
  for (const answer of await answers) expect(answer).toMatchObject({ status: "rejected", reason: { code: "internal", work: "unknown" } });
});

test("close settles what was accepted and refuses what comes later", async () => {
  const { batcher, batches } = byHand();
  const accepted = batcher.submit(1);
  const closed = batcher.close();
  await expect(batcher.submit(2)).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
  await turn();
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  await turn();
  expect(isClosed).toBe(false);
  batches[0]?.answer([ok(1)]);
  expect(await accepted).toBe(1);
  await closed;
  await batcher.close();
});

test("ten thousand members through a bound of sixteen keep their order and lose none", async () => {
  const seen: number[] = [];
  const batcher = createBatcher<number, number>({
    name: "order",
    batchMax: 16,
    queueDepthMax: 10_000,
    run: async (members) => {
      expect(members.length).toBeLessThanOrEqual(16);
      await Promise.resolve();
      seen.push(...members);
      return members.map(ok);
    },
  });
  const all = Array.from({ length: 10_000 }, (_, index) => index);
  expect(await Promise.all(all.map((member) => batcher.submit(member)))).toEqual(all);
  expect(seen).toEqual(all);
});
