import { expect, test } from "vitest";
import { createRandomPool } from "./random-pool.ts";

test("bytes are never given twice, also beyond one pool, and stay as they were given", () => {
  const random = createRandomPool();
  const given = Array.from({ length: 2_000 }, () => random(10));
  const written = given.map((bytes) => Buffer.from(bytes).toString("hex"));
  random(4_096);
  expect(new Set(written).size).toBe(2_000);
  expect(given.map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual(written);
  expect(() => random(4_097)).toThrow();
});
