import { amountMinorMax } from "@florin/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import { exactFee, exactPerMinor, feeMinorOf, feeTableOf } from "./fees.ts";
import { interchangeClassOf } from "./interchange.ts";
import { sampleInterchange } from "./samples.ts";

const card = { funding: "debit", cardCountry: "DE", merchantCountry: "DE" } as const;
const blended = (rateBps: number, fixedMinor: bigint) =>
  feeTableOf({ rateBps, fixedMinor: new Map([["EUR", fixedMinor]]), interchange: "blended" });
const shown = (table: ReturnType<typeof feeTableOf>, amountMinor: bigint, on: Partial<Parameters<typeof exactFee>[1]> = {}) => {
  const exact = exactFee(table, { ...card, currency: "EUR", amountMinor, ...on });
  return exact === undefined ? undefined : feeMinorOf(exact);
};

test("percent and fixed part are added: 1.4 % of 50.00 and 0.25 are 0.95", () => {
  expect(shown(blended(140, 25n), 5_000n)).toBe(95n);
});

test("half a minor unit is rounded up, less is rounded down", () => {
  expect([
    shown(blended(100, 0n), 50n),
    shown(blended(100, 0n), 49n),
    shown(blended(1, 0n), 4_999n),
    shown(blended(1, 0n), 5_000n),
  ]).toEqual([1n, 0n, 0n, 1n]);
});

test("interchange is passed on by class: the same processor is dear for a credit card from abroad", () => {
  const table = feeTableOf({ rateBps: 45, fixedMinor: new Map([["EUR", 12n]]), interchange: sampleInterchange });
  expect(shown(table, 10_000n)).toBe(77n);
  expect(shown(table, 10_000n, { funding: "credit" })).toBe(87n);
  expect(shown(table, 10_000n, { funding: "credit", cardCountry: "US" })).toBe(207n);
});

test("a currency without a price has no fee, which is not a fee of nothing", () => {
  expect(shown(blended(100, 0n), 100n, { currency: "USD" })).toBeUndefined();
});

test.each([
  [{ funding: "debit", cardCountry: "DE", merchantCountry: "DE" }, "debit_domestic"],
  [{ funding: "prepaid", cardCountry: "FR", merchantCountry: "DE" }, "prepaid_intra_eea"],
  [{ funding: "credit", cardCountry: "GB", merchantCountry: "DE" }, "credit_international"],
  [{ funding: "debit", cardCountry: "US", merchantCountry: "US" }, "debit_domestic"],
  [{ funding: "debit", cardCountry: "", merchantCountry: "" }, "debit_international"],
  [{ funding: "unknown", cardCountry: "", merchantCountry: "DE" }, "credit_international"],
] as const)("%o is %s", (origin, expected) => {
  expect(interchangeClassOf(origin)).toBe(expected);
});

test("the shown fee is never half a unit off the exact one, and a larger amount never costs less", () => {
  const amount = fc.bigInt(1n, amountMinorMax);
  fc.assert(
    fc.property(amount, amount, fc.nat(5_000), fc.bigInt(0n, 100_000n), (one, other, rateBps, fixed) => {
      const table = blended(rateBps, fixed);
      const exact = (amountMinor: bigint) => exactFee(table, { ...card, currency: "EUR", amountMinor }) as bigint;
      const off = feeMinorOf(exact(one)) * exactPerMinor - exact(one);
      expect(off <= exactPerMinor / 2n && off > -exactPerMinor / 2n).toBe(true);
      expect(one <= other ? exact(one) <= exact(other) : exact(one) >= exact(other)).toBe(true);
    }),
  );
});

test.each([
  ["a fraction of a basis point", () => blended(1.5, 0n)],
  ["a negative rate", () => blended(-1, 0n)],
  ["more than half of the amount", () => blended(5_001, 0n)],
  ["a negative fixed part", () => blended(1, -1n)],
  [
    "a negative interchange",
    () => feeTableOf({ rateBps: 50, fixedMinor: new Map(), interchange: { ...sampleInterchange, debit_domestic: -20 } }),
  ],
])("%s is a mistake in the settings", (_name, make) => {
  expect(make).toThrow();
});
