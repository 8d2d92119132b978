import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addCounts, noCounts, parseCounts, renderCounts } from "./counts.ts";

const counts = fc.record({ passed: fc.nat(), failed: fc.nat(), skipped: fc.nat() });

describe("the closing line", () => {
  test("is read back as it was written, also behind other output", () => {
    fc.assert(
      fc.property(counts, (value) => {
        expect(parseCounts(`1 passed, 2 failed, 3 skipped\nnoise\n${renderCounts(value)}\n`)).toEqual(value);
      }),
    );
  });

  test("a line with anything beside it does not count", () => {
    expect(parseCounts("  1 passed, 0 failed, 0 skipped (2 s)")).toBeUndefined();
  });

  test("totals add up", () => {
    fc.assert(
      fc.property(counts, counts, (left, right) => {
        expect(addCounts(noCounts, left)).toEqual(left);
        expect(addCounts(left, right)).toEqual(addCounts(right, left));
      }),
    );
  });
});
