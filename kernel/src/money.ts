/**
 * Money: `bigint` minor units and an ISO 4217 code. No floats, no division: amounts are split with `allocate`.
 */
import { assert } from "./assert.ts";

/** The largest amount of one operation: ISO 8583 DE 4 has twelve digits. Sums may exceed it, up to int64. */
export const amountMinorMax = 999_999_999_999n;
const int64Max = 2n ** 63n - 1n;

export type Money = { readonly amountMinor: bigint; readonly currency: string };

/** Sum of two amounts of one currency; asserts that the sum fits int64, the type of the log and the books. */
export function add(left: Money, right: Money): Money {
  assert(left.currency === right.currency, "amounts of one currency");
  const amountMinor = left.amountMinor + right.amountMinor;
  assert(amountMinor <= int64Max && amountMinor >= -int64Max, "a sum fits int64");
  return { amountMinor, currency: left.currency };
}

/**
 * Splits `amountMinor` (≥ 0) in proportion to `weights` (≥ 0, at least one > 0) without losing or making a unit: what the
 * division leaves over goes, one unit each, to the heaviest parts, equals in their order. No part is a whole unit off its share.
 */
export function allocate(amountMinor: bigint, weights: readonly bigint[]): bigint[] {
  assert(amountMinor >= 0n, "only amounts that are not negative are split");
  for (const weight of weights) assert(weight >= 0n, "weights are not negative");
  const total = sum(weights);
  assert(total > 0n, "at least one weight is positive");
  const parts = weights.map((weight) => (amountMinor * weight) / total);
  const rest = Number(amountMinor - sum(parts));
  for (const index of heaviestFirst(weights).slice(0, rest)) parts[index] = (parts[index] as bigint) + 1n;
  assert(sum(parts) === amountMinor, "the parts add up to the whole");
  return parts;
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

function heaviestFirst(weights: readonly bigint[]): number[] {
  const weightAt = (index: number): bigint => weights[index] as bigint;
  return [...weights.keys()].sort((left, right) =>
    weightAt(left) === weightAt(right) ? left - right : weightAt(left) > weightAt(right) ? -1 : 1,
  );
}
