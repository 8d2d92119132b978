/** The short form of `npm run simulate:mutants`: one bug of each kind, and what makes the table worth believing. */
import { required } from "@florin/kernel";
import { expect, test } from "vitest";
import { mutants } from "../mutants/catalogue/index.ts";
import { hunt } from "../mutants/hunt.ts";
import type { Mutant } from "../mutants/mutant.ts";

/** Seconds on a free core; in `npm test` others come first. */
const limits = { seedsMax: 20, payments: 200, timeoutMs: 300_000 };
const mutant = (name: string): Mutant =>
  required(
    mutants.find((one) => one.name === name),
    name,
  );

/** What each must be caught by: the promise that it breaks. */
const quick: readonly (readonly [string, RegExp])[] = [
  ["neighbours-share-a-key", /^I1 key .* has two effects/],
  ["timeout-is-failure", /^I3 /],
  ["answer-before-commit", /^P1 /],
  ["request-hash-ignored-by-cache", /^P2 .* two bodies/],
  ["refund-counted-twice", /^P5 .* refunded is/],
  ["partial-refund-posted-as-total", /^P4 /],
];

test.each(quick)("%s is caught", { timeout: 330_000 }, async (name, by) => {
  expect(await hunt(mutant(name), { ...limits, by })).toMatchObject({ kind: "caught" });
});

test("the code as it is survives", { timeout: 330_000 }, async () => {
  expect(await hunt(undefined, limits)).toEqual({ kind: "survived" });
});

test("a bug that is never loaded, or that is no program, is not called caught", { timeout: 330_000 }, async () => {
  const real = mutant("redis-grants");
  const elsewhere = { ...real, and: [{ file: "vault/src/main.ts", find: "", replace: "" }] };
  expect(await hunt(elsewhere, limits)).toMatchObject({
    kind: "broken",
    why: expect.stringContaining("vault/src/main.ts was never loaded"),
  });
  expect(await hunt({ ...real, name: "no-such-mutant" }, limits)).toMatchObject({ kind: "broken" });
});
