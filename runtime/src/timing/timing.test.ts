import { expect, test } from "vitest";
import { systemTiming } from "./timing.ts";

test("a pause ends early and quietly when its signal is aborted", async () => {
  const stopping = new AbortController();
  const pausing = systemTiming.sleep(60_000, stopping.signal);
  stopping.abort();
  await expect(pausing).resolves.toBeUndefined();
  await expect(systemTiming.sleep(60_000, stopping.signal)).resolves.toBeUndefined();
});

test("a call that was taken back is not made", async () => {
  let calls = 0;
  const takeBack = systemTiming.after(1, () => (calls += 1));
  takeBack();
  takeBack();
  await new Promise<void>((resolve) => systemTiming.after(20, resolve));
  expect(calls).toBe(0);
});

test("the end of the turn comes after every promise of the turn", async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    systemTiming.atTurnEnd(() => {
      order.push("turn end");
      resolve();
    });
    void Promise.resolve()
      .then(() => order.push("first"))
      .then(() => order.push("second"));
  });
  expect(order).toEqual(["first", "second", "turn end"]);
});
