import fc from "fast-check";
import { expect, test } from "vitest";
import { createRetryBudget } from "./retry-budget.ts";

test("what is saved up may be spent at once, and then one retry is earned by ten first tries", () => {
  const budget = createRetryBudget({ share: 0.1, savedMax: 2 });
  expect([1, 2, 3].map(() => budget.spend())).toEqual([true, true, false]);
  for (let tries = 0; tries < 9; tries += 1) budget.earn();
  expect(budget.spend()).toBe(false);
  budget.earn();
  expect([budget.spend(), budget.spend()]).toEqual([true, false]);
});

test("a long calm saves up no more than the bound", () => {
  const budget = createRetryBudget({ share: 0.1, savedMax: 2 });
  for (let tries = 0; tries < 10_000; tries += 1) budget.earn();
  expect([1, 2, 3].map(() => budget.spend())).toEqual([true, true, false]);
});

test("when everything fails and everybody tries again three times, retries are a tenth of the traffic", () => {
  const budget = createRetryBudget({ share: 0.1, savedMax: 10 });
  let retries = 0;
  for (let tries = 0; tries < 100_000; tries += 1) {
    budget.earn();
    for (let again = 0; again < 3 && budget.spend(); again += 1) retries += 1;
  }
  expect(retries).toBeGreaterThanOrEqual(10_000);
  expect(retries).toBeLessThanOrEqual(10_010);
});

test("what was answered is given back, and what was not is not", () => {
  const budget = createRetryBudget({ share: 0.1, savedMax: 2 });
  for (let question = 0; question < 100; question += 1) {
    expect(budget.spend()).toBe(true);
    budget.giveBack();
  }
  expect([budget.spend(), budget.spend(), budget.spend()]).toEqual([true, true, false]);
});

test("without any traffic so many are earned by time, and none more", () => {
  const clock = { ms: 0 };
  const budget = createRetryBudget({ share: 0.1, savedMax: 2, perSecondMin: 5 }, () => clock.ms);
  let spent = 0;
  for (; clock.ms < 10_000; clock.ms += 10) if (budget.spend()) spent += 1;
  expect(spent).toBeGreaterThanOrEqual(51);
  expect(spent).toBeLessThanOrEqual(52);
});

test("in any stretch of any traffic, retries are at most the share of it and what was saved up", () => {
  const moves = fc.array(fc.constantFrom("earn", "spend"), { maxLength: 400 });
  fc.assert(
    fc.property(
      moves,
      moves,
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 20 }),
      (before, stretch, thousandths, savedMax) => {
        const budget = createRetryBudget({ share: thousandths / 1_000, savedMax });
        const play = (moved: readonly string[]): { earned: number; spent: number } => {
          const sum = { earned: 0, spent: 0 };
          for (const move of moved) {
            if (move === "earn") {
              budget.earn();
              sum.earned += 1;
            } else if (budget.spend()) sum.spent += 1;
          }
          return sum;
        };
        play(before);
        const { earned, spent } = play(stretch);
        return spent * 1_000 <= earned * thousandths + savedMax * 1_000;
      },
    ),
  );
});

test.each([
  { share: 0, savedMax: 1 },
  { share: 1.5, savedMax: 1 },
  { share: 0.1, savedMax: 0 },
  { share: 0.1, savedMax: 1.5 },
])("a budget that makes no sense is refused: %o", (settings) => {
  expect(() => createRetryBudget(settings)).toThrow();
});
