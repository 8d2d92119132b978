import { expect, test } from "vitest";
import { createRetryBudgets } from "./retry-budgets.ts";

test("other settings begin with budgets of their own, and hold from the next try", async () => {
  let settings = { share: 0.1, savedMax: 2 };
  const refused: unknown[] = [];
  const metrics = { count: (...said: readonly unknown[]) => void refused.push(said) };
  const budgets = createRetryBudgets({ settings: () => settings, now: () => 0, metrics });
  const ask = (connector: string) =>
    budgets.within(
      connector,
      async () => "silence",
      () => true,
    );
  expect([await ask("a"), await ask("a"), await ask("a"), await ask("b")]).toEqual(["silence", "silence", undefined, "silence"]);
  settings = { share: 0.1, savedMax: 1 };
  expect([await ask("a"), await ask("a"), await ask("b"), await ask("b")]).toEqual(["silence", undefined, "silence", undefined]);
  expect(refused).toHaveLength(3);
});
