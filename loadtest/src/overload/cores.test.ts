import { expect, test } from "vitest";
import { splitCores } from "./cores.ts";

test("the door gets half of the cores, rounded down, and what is behind it the rest; one core cannot be shared out", () => {
  expect([1, 2, 3, 4, 8].map((count) => splitCores(count))).toEqual([
    undefined,
    { door: "0", house: "1" },
    { door: "0", house: "1-2" },
    { door: "0-1", house: "2-3" },
    { door: "0-3", house: "4-7" },
  ]);
});
