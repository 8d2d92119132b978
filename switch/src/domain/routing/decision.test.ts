import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Candidate,
  exclusions,
  type RoutingDecision,
  rankedProcessors,
  rankings,
  readDecision,
  storeDecision,
  strategyKinds,
} from "./decision.ts";

const candidate: fc.Arbitrary<Candidate> = fc.record({
  processor: fc.string({ maxLength: 20 }),
  rank: fc.nat(16),
  reasons: fc.subarray([...exclusions, ...rankings]),
  feeMinor: fc.option(fc.bigInt(0n, 10n ** 12n), { nil: undefined }),
  rateBps: fc.option(fc.nat(10_000), { nil: undefined }),
});
const decision: fc.Arbitrary<RoutingDecision> = fc.record({
  strategy: fc.constantFrom(...strategyKinds),
  rulesVersion: fc.nat(),
  rulePath: fc.string({ maxLength: 40 }),
  isExploration: fc.boolean(),
  candidates: fc.array(candidate, { maxLength: 16 }),
});

test("a stored decision is read back as it was", () => {
  fc.assert(
    fc.property(decision, (one) => {
      expect(readDecision(storeDecision(one))).toEqual(one);
    }),
  );
});

test.each([
  ["no JSON", "{"],
  ["another form", '[2,"cost",0,"",false,[]]'],
  ["a field too many", '[1,"cost",0,"",false,[],0]'],
  ["a strategy that nobody knows", '[1,"luck",0,"",false,[]]'],
  ["a reason that nobody knows", '[1,"cost",0,"",false,[["a",1,["luck"],"",-1]]]'],
  ["a fee that is no number", '[1,"cost",0,"",false,[["a",1,[],"1e3",-1]]]'],
  [
    "more candidates than there can be",
    storeDecision({
      strategy: "cost",
      rulesVersion: 0,
      rulePath: "",
      isExploration: false,
      candidates: Array.from({ length: 17 }, () => ({ processor: "a", rank: 0, reasons: [], feeMinor: undefined, rateBps: undefined })),
    }),
  ],
])("%s is not read", (_name, text) => {
  expect(readDecision(text)).toBeUndefined();
});

test("a decision of sixteen processors, each with every reason it can have, stays below 4 KB", () => {
  const worst: Candidate = { processor: "p".repeat(32), rank: 16, reasons: [...exclusions], feeMinor: 10n ** 12n, rateBps: 10_000 };
  const stored = storeDecision({
    strategy: "value",
    rulesVersion: 999_999,
    rulePath: `rules${".split[63].to".repeat(7)}`,
    isExploration: true,
    candidates: Array.from({ length: 16 }, () => worst),
  });
  expect(stored.length).toBeLessThan(4_096);
});

test("only ranked candidates are tried", () => {
  const of = (processor: string, rank: number): Candidate => ({ processor, rank, reasons: [], feeMinor: undefined, rateBps: undefined });
  expect(
    rankedProcessors({
      strategy: "listed",
      rulesVersion: 0,
      rulePath: "",
      isExploration: false,
      candidates: [of("a", 1), of("b", 2), of("c", 0)],
    }),
  ).toEqual(["a", "b"]);
});
