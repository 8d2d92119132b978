import { expect, test } from "vitest";
import { faultReasons } from "./codec/fault.ts";
import { fuzz } from "./fuzz.ts";

test("damaged messages and noise are decoded or refused, never thrown at, and every reason comes up", () => {
  const seed = 8_583;
  const report = fuzz({ seed, inputs: 40_000 });
  expect(report.inputs).toBe(40_000);
  expect(report.decoded).toBeGreaterThan(5_000);
  // Only an encoder lacks room or finds a fixed length wrong.
  const met = [...Object.keys(report.refused), "no_room", "wrong_length"].toSorted();
  expect(met).toEqual(Object.keys(faultReasons).toSorted());
});
