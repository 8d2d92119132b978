import { expect, test } from "vitest";
import { RecentReferences } from "./recent-references.ts";

test("a reference is known from its second time on, with its age, until others have pushed it out", () => {
  let nowMs = 1_000;
  const references = new RecentReferences(2, () => nowMs);
  expect([references.use("rev_1"), references.use("rev_1")]).toEqual([undefined, 0]);
  nowMs += 500;
  references.use("rev_2");
  expect(references.use("rev_1")).toBe(500);
  references.use("rev_3");
  nowMs += 20;
  expect([references.use("rev_2"), references.use("rev_3")]).toEqual([20, 20]);
  expect(references.use("rev_1")).toBeUndefined();
  references.forget("rev_1");
  expect(references.use("rev_1")).toBeUndefined();
});
