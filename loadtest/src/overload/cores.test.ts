import { expect, test } from "vitest";
import { splitCores } from "./cores.ts";

test("the door gets half of the cores, rounded up, because the crowd is there too, and what is behind it the rest; one core cannot be shared out", () => {
  expect([1, 2, 3, 4, 8].map((count) => splitCores(count))).toEqual([
    undefined,
    { door: "0", house: "1", doorCount: 1 },
    { door: "0-1", house: "2", doorCount: 2 },
    { door: "0-1", house: "2-3", doorCount: 2 },
    { door: "0-3", house: "4-7", doorCount: 4 },
  ]);
});
