import { idTimeMs, isId, makeId } from "@florin/kernel";
import { expect, test } from "vitest";
import { derivedId } from "./derived-id.ts";

const attempt = makeId("attempt", 1_700_000_000_000, new Uint8Array(10).fill(7));

test("an id that follows from another is of its time, and of no other one", () => {
  expect(isId("reversal", derivedId("reversal", attempt))).toBe(true);
  expect(idTimeMs(derivedId("reversal", attempt))).toBe(1_700_000_000_000);
  expect(derivedId("reversal", makeId("attempt", 1_700_000_000_000, new Uint8Array(10).fill(8)))).not.toBe(derivedId("reversal", attempt));
});

test("it never changes: what was asked for before a deploy is asked for again after it", () => {
  expect(derivedId("reversal", attempt)).toBe("rev_01hf7yat002xa4xw0zg3n75yte");
});
