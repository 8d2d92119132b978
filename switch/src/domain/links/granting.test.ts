import { describe, expect, test } from "vitest";
import { afterGrant, beginTerm, type GrantState, nextMove, type Seen } from "./granting.ts";

const rules = { validForMs: 5_000, marginMs: 500 };
const now = 100_000;
const state: GrantState = { term: 4n, holder: "a", freeAtMs: now };
const seen = (processId: string): Seen => ({ processId, clockMs: 7n, receivedAtMs: now - 300 });

test.each([
  ["nobody was heard of", undefined, now, "ask"],
  ["the holder answers", seen("a"), now, "grant"],
  ["the holder answers, long after its grant", seen("a"), now + 60_000, "grant"],
  ["another answers before the last grant is over", seen("b"), now - 1, "wait"],
  ["another answers when it is over", seen("b"), now, "hand_over"],
] as const)("%s", (_name, who, nowMs, move) => {
  expect(nextMove(state, who, nowMs)).toBe(move);
});

describe("a new leader", () => {
  test("gives links that nobody ever had at once", () => {
    expect(beginTerm(rules, { term: 1n, holder: "" }, undefined, now)).toEqual({ term: 1n, holder: "", freeAtMs: now });
  });

  test("waits for the longest grant of the one before, who may have granted a moment ago", () => {
    expect(beginTerm(rules, { term: 5n, holder: "a" }, undefined, now).freeAtMs).toBe(now + 5_500);
    // It led itself, and so did another one since.
    expect(beginTerm(rules, { term: 6n, holder: "a" }, state, now).freeAtMs).toBe(now + 5_500);
  });

  test("that led last knows its own last grant", () => {
    expect(beginTerm(rules, { term: 5n, holder: "a" }, state, now + 9_000).freeAtMs).toBe(now);
  });
});

test("a grant keeps others away from the moment that it counts from, and never for less than before", () => {
  expect(afterGrant(rules, state, seen("a")).freeAtMs).toBe(now - 300 + 5_500);
  expect(afterGrant(rules, { ...state, freeAtMs: now + 60_000 }, seen("a")).freeAtMs).toBe(now + 60_000);
});
