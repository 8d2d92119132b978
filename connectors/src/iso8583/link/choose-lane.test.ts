import { expect, test } from "vitest";
import { chooseLane } from "./choose-lane.ts";

const link = (name: string, of: Partial<Parameters<typeof chooseLane>[0][number]> = {}) => ({
  name,
  phase: "up" as const,
  hasCompany: false,
  backlogBytes: 0,
  ...of,
});

test("a link that writes in this turn anyway gets company, unless it is not up", () => {
  const links = [
    link("quiet"),
    link("leaving", { phase: "closed", hasCompany: true }),
    link("writing", { hasCompany: true, backlogBytes: 500 }),
  ];
  expect(chooseLane(links, () => 0)?.name).toBe("writing");
});

test("else the one that keeps back least, and equals share", () => {
  const links = [link("behind", { backlogBytes: 9 }), link("a"), link("away", { phase: "closed" }), link("b")];
  expect([0, 0.25, 0.5, 0.75, 0.99].map((chance) => chooseLane(links, () => chance)?.name)).toEqual(["a", "a", "b", "b", "b"]);
});

test("none where none is up", () => {
  expect(chooseLane([link("away", { phase: "closed" })], () => 0.5)).toBeUndefined();
  expect(chooseLane([], () => 0.5)).toBeUndefined();
});
