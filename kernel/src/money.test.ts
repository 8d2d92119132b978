import { dinero, allocate as dineroAllocate, toSnapshot } from "dinero.js/bigint";
import { USD } from "dinero.js/bigint/currencies";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { add, allocate, amountMinorMax } from "./money.ts";

const amount = fc.bigInt({ min: 0n, max: amountMinorMax });
const weights = fc
  .array(fc.bigInt({ min: 0n, max: 1_000n }), { minLength: 1, maxLength: 12 })
  .filter((list) => list.some((weight) => weight > 0n));
const sum = (list: readonly bigint[]): bigint => list.reduce((total, part) => total + part, 0n);

describe("allocate", () => {
  test("no unit is lost or made", () => {
    fc.assert(fc.property(amount, weights, (whole, ratio) => sum(allocate(whole, ratio)) === whole));
  });

  test("agrees with dinero.js", () => {
    fc.assert(
      fc.property(amount, weights, (whole, ratio) => {
        const oracle = dineroAllocate(dinero({ amount: whole, currency: USD }), [...ratio]).map((part) => toSnapshot(part).amount);
        expect(allocate(whole, ratio)).toEqual(oracle);
      }),
    );
  });

  test("a part without weight gets nothing, and no part is further than one unit from its exact share", () => {
    fc.assert(
      fc.property(amount, weights, (whole, ratio) => {
        const total = sum(ratio);
        return allocate(whole, ratio).every((part, index) => {
          const weight = ratio[index] as bigint;
          if (weight === 0n) return part === 0n;
          const floor = (whole * weight) / total;
          return part === floor || part === floor + 1n;
        });
      }),
    );
  });

  test("100 in three equal parts is 34, 33, 33", () => expect(allocate(100n, [1n, 1n, 1n])).toEqual([34n, 33n, 33n]));
  test("a negative amount, a negative weight and no weight at all are bugs", () => {
    expect(() => allocate(-1n, [1n])).toThrow();
    expect(() => allocate(1n, [1n, -1n])).toThrow();
    expect(() => allocate(1n, [0n])).toThrow();
    expect(() => allocate(1n, [])).toThrow();
  });
});

describe("add", () => {
  test("adds amounts of one currency", () => {
    fc.assert(
      fc.property(
        amount,
        amount,
        (left, right) => add({ amountMinor: left, currency: "EUR" }, { amountMinor: right, currency: "EUR" }).amountMinor === left + right,
      ),
    );
  });
  test("two currencies do not add", () =>
    expect(() => add({ amountMinor: 1n, currency: "EUR" }, { amountMinor: 1n, currency: "USD" })).toThrow());
  test("a sum beyond int64 is a bug, not a wrap-around", () => {
    expect(() => add({ amountMinor: 2n ** 63n - 1n, currency: "EUR" }, { amountMinor: 1n, currency: "EUR" })).toThrow();
  });
});
