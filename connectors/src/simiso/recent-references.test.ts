import { expect, test } from "vitest";
import { RecentReferences } from "./recent-references.ts";

test("a reference is known from its second time on, until others have pushed it out", () => {
  const references = new RecentReferences(2);
  expect([references.add("rev_1"), references.add("rev_1")]).toEqual([false, true]);
  references.add("rev_2");
  expect(references.add("rev_1")).toBe(true);
  references.add("rev_3");
  expect([references.add("rev_2"), references.add("rev_3")]).toEqual([true, true]);
  expect(references.add("rev_1")).toBe(false);
});
