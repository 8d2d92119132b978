import { expect, test } from "vitest";
import { momentsOf, welchT } from "./welch.ts";

test("Welch's t is that of the textbook", () => {
  // A worked example of two samples of unequal variance: t = -2.46.
  const left = momentsOf([27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]);
  const right = momentsOf([27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4]);
  expect(left.mean).toBeCloseTo(20.82, 2);
  expect(welchT(left, right)).toBeCloseTo(-2.46, 1);
  expect(welchT(right, left)).toBeCloseTo(-welchT(left, right), 10);
});

test("equal samples differ by nothing", () => {
  const same = momentsOf([1, 2, 3, 4]);
  expect(welchT(same, same)).toBe(0);
});
