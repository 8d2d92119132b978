import { expect, test } from "vitest";
import { createCallBudget } from "./call-budget.ts";

function open(timeoutMs: number) {
  const clock = { ms: 1_000 };
  const budget = createCallBudget({ timeoutMs, settings: { marginMs: 500, askMsMin: 200 }, monotonicMs: () => clock.ms });
  return { clock, budget };
}

test("a caller's time runs out by the clock, and goes on into the past", () => {
  const { clock, budget } = open(2_000);
  expect(budget.msLeft()).toBe(2_000);
  clock.ms += 2_500;
  expect(budget.msLeft()).toBe(-500);
});

test("another party gets what is left without the margin, at most its bound, and nothing when that is too little", () => {
  const { clock, budget } = open(30_000);
  expect(budget.askMs(25_000)).toBe(25_000);
  clock.ms += 20_000;
  expect(budget.askMs(25_000)).toBe(9_500);
  clock.ms += 9_300;
  expect(budget.askMs(25_000)).toBe(200);
  clock.ms += 1;
  expect(budget.askMs(25_000)).toBe(0);
});

test("nothing is begun when another party could not be asked any more", () => {
  const { clock, budget } = open(1_000);
  clock.ms += 300;
  expect(budget.canBegin()).toBe(true);
  clock.ms += 1;
  expect(budget.canBegin()).toBe(false);
});

test("what others took adds up, also when they fail", async () => {
  const { clock, budget } = open(10_000);
  const take = (ms: number) => async () => {
    clock.ms += ms;
  };
  await budget.elsewhere(take(20));
  clock.ms += 5;
  await expect(
    budget.elsewhere(async () => {
      await take(30)();
      throw new Error("no answer");
    }),
  ).rejects.toThrow("no answer");
  expect(budget.elsewhereMs).toBe(50);
});
