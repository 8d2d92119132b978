import { makeId } from "@florin/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createAuthorizationRates } from "./authorization-rates.ts";
import { rankedProcessors, strategyKinds } from "./decision.ts";
import { exclusionsOf } from "./eligibility.ts";
import { exactFee } from "./fees.ts";
import { type Health, makeProcessors, type RouteContext, route } from "./route.ts";
import { parseRules } from "./rules/parse-rules.ts";
import { sampleContext, sampleNowMs, sampleProfile, sampleProfiles, sampleRequest } from "./samples.ts";

const names = new Set(sampleProfiles.map(({ name }) => name));
const rulesOf = (rules: unknown, version = 7) => {
  const parsed = parseRules({ version, rules }, names);
  if (parsed.kind === "invalid") throw new Error(JSON.stringify(parsed.problems));
  return parsed.rules;
};
const order = (changes: Partial<RouteContext>): string => rankedProcessors(route(sampleContext(changes))).join(" ");
const ids = Array.from({ length: 4_000 }, (_, index) => {
  const random = new Uint8Array(10);
  new DataView(random.buffer).setUint32(3, index);
  return makeId("payment", sampleNowMs + index, random);
});

/** Rates by processor: beta is bad, delta the best. */
const learned = createAuthorizationRates();
for (const [processor, approvals] of [
  ["alpha", 80],
  ["beta", 40],
  ["gamma", 85],
  ["delta", 99],
] as const)
  for (let count = 0; count < 100; count++)
    learned.record({ processor, segment: "visa/debit/domestic", isApproved: count < approvals }, sampleNowMs);

test("each strategy puts its own first", () => {
  expect(order({ strategy: { kind: "listed", exploreBps: 0 } })).toBe("alpha beta gamma delta");
  // 50.00 by a domestic debit card: alpha 0.95, beta 0.45, gamma 0.41 (rounded), delta 1.00.
  expect(order({ strategy: { kind: "cost", exploreBps: 0 } })).toBe("gamma beta alpha delta");
  expect(order({ strategy: { kind: "rate", exploreBps: 0 }, rates: learned })).toBe("delta gamma alpha beta");
});

test("value weighs the share of approvals against the fee", () => {
  const profiles = [
    { ...sampleProfile, name: "good", fees: { ...sampleProfile.fees, rateBps: 300 } },
    { ...sampleProfile, name: "cheap", fees: { ...sampleProfile.fees, rateBps: 10 } },
  ];
  const first = (goodBps: number) =>
    order({
      processors: makeProcessors(profiles),
      strategy: { kind: "value", exploreBps: 0 },
      rates: { estimate: (processor) => ({ rateBps: processor === "good" ? goodBps : 9_000, samples: 100 }) },
    });
  // Of 50.00 remain 48.25 with the one and 49.70 with the other: 0.9 × 49.70 = 44.73 = 0.9271 × 48.25.
  expect([first(9_270), first(9_271)]).toEqual(["cheap good", "good cheap"]);
});

test("value prefers more approvals and less fee, also where the fee eats the whole amount", () => {
  const anyFee = fc.record({ rateBps: fc.integer({ min: 0, max: 5_000 }), fixed: fc.integer({ min: 0, max: 20_000 }) });
  const anyRate = fc.integer({ min: 1, max: 9_999 });
  type Fee = { readonly rateBps: number; readonly fixed: number };
  const profileOf = (name: string, { rateBps, fixed }: Fee) => {
    const fees = { ...sampleProfile.fees, rateBps, fixedMinor: new Map([["EUR", BigInt(fixed)]]) };
    return { ...sampleProfile, name, fees };
  };
  const first = (fees: readonly [Fee, Fee], rates: readonly [number, number]) =>
    order({
      processors: makeProcessors([profileOf("p0", fees[0]), profileOf("p1", fees[1])]),
      strategy: { kind: "value", exploreBps: 0 },
      rates: { estimate: (processor) => ({ rateBps: rates[processor === "p0" ? 0 : 1], samples: 100 }) },
    });
  fc.assert(
    fc.property(anyFee, anyRate, (fee, rateBps) => {
      expect(first([fee, fee], [rateBps, rateBps + 1])).toBe("p1 p0");
      expect(first([{ ...fee, fixed: fee.fixed + 1 }, fee], [rateBps, rateBps])).toBe("p1 p0");
    }),
  );
});

test("the decision tells every processor with its reasons, its fee and its rate", () => {
  const health = (name: string): Health => (name === "beta" ? "probing" : name === "delta" ? "down" : "up");
  expect(
    route(
      sampleContext({ strategy: { kind: "rate", exploreBps: 0 }, rates: learned, health, request: sampleRequest({ currency: "JPY" }) }),
    ),
  ).toEqual({
    strategy: "rate",
    rulesVersion: 0,
    rulePath: "",
    isExploration: false,
    candidates: [
      { processor: "alpha", rank: 1, reasons: ["by_rate"], feeMinor: 110n, rateBps: 8_014 },
      { processor: "beta", rank: 2, reasons: ["by_rate", "fee_unknown", "breaker_probing"], feeMinor: undefined, rateBps: 4_125 },
      { processor: "gamma", rank: 0, reasons: ["currency_not_supported"], feeMinor: undefined, rateBps: undefined },
      { processor: "delta", rank: 0, reasons: ["breaker_open"], feeMinor: undefined, rateBps: undefined },
    ],
  });
});

test("a processor without a price for the currency comes last by cost and by value", () => {
  const yen = { request: sampleRequest({ currency: "JPY" }) };
  expect(order({ ...yen, strategy: { kind: "cost", exploreBps: 0 } })).toBe("delta alpha beta");
  expect(order({ ...yen, strategy: { kind: "value", exploreBps: 0 } })).toBe("delta alpha beta");
});

test("priority holds against the strategy, and the others come after by the strategy", () => {
  expect(order({ rules: rulesOf({ priority: ["delta", "alpha"] }), strategy: { kind: "cost", exploreBps: 0 } })).toBe(
    "delta alpha gamma beta",
  );
});

test("choose leaves the order of the named ones to the strategy", () => {
  expect(order({ rules: rulesOf({ choose: ["alpha", "delta"] }), strategy: { kind: "cost", exploreBps: 0 } })).toBe(
    "alpha delta gamma beta",
  );
});

test("others never: an outage of all named ones leaves nobody, and says why", () => {
  const rules = rulesOf({ priority: ["alpha"], others: "never" });
  expect(order({ rules })).toBe("alpha");
  const decision = route(sampleContext({ rules, health: () => "down" }));
  expect(decision.candidates.map(({ rank, reasons }) => [rank, ...reasons])).toEqual([
    [0, "breaker_open"],
    [0, "excluded_by_rule", "breaker_open"],
    [0, "excluded_by_rule", "breaker_open"],
    [0, "excluded_by_rule", "breaker_open"],
  ]);
  expect(decision).toMatchObject({ rulesVersion: 7, rulePath: "rules" });
});

test("a share of payments explores, evenly among those that might be first", () => {
  const firsts: Record<string, number> = {};
  let explored = 0;
  for (const paymentId of ids) {
    const decision = route(
      sampleContext({ request: sampleRequest({ paymentId }), strategy: { kind: "rate", exploreBps: 2_000 }, rates: learned }),
    );
    const [first] = rankedProcessors(decision) as [string];
    firsts[first] = (firsts[first] ?? 0) + 1;
    explored += decision.isExploration ? 1 : 0;
    expect(decision.candidates[0]?.reasons.includes("explored")).toBe(decision.isExploration);
  }
  // Of a fifth of the payments each of four is drawn for a quarter; drawing the best is no exploration.
  expect(Math.abs(explored - 600)).toBeLessThan(90);
  for (const other of ["alpha", "beta", "gamma"]) expect(Math.abs((firsts[other] ?? 0) - 200)).toBeLessThan(57);
});

test("nothing is explored by cost, by list, or against the order of the merchant's rules", () => {
  const isExploring = (changes: Partial<RouteContext>) =>
    ids.slice(0, 200).some((paymentId) => route(sampleContext({ request: sampleRequest({ paymentId }), ...changes })).isExploration);
  expect(isExploring({ strategy: { kind: "cost", exploreBps: 10_000 } })).toBe(false);
  expect(isExploring({ strategy: { kind: "listed", exploreBps: 10_000 } })).toBe(false);
  expect(isExploring({ strategy: { kind: "rate", exploreBps: 10_000 }, rules: rulesOf({ priority: ["delta"] }) })).toBe(false);
  expect(isExploring({ strategy: { kind: "rate", exploreBps: 10_000 } })).toBe(true);
});

const context: fc.Arbitrary<RouteContext> = fc
  .record({
    paymentId: fc.constantFrom(...ids),
    amountMinor: fc.bigInt(1n, 1_000_000n),
    currency: fc.constantFrom("EUR", "USD", "JPY"),
    network: fc.constantFrom("visa", "amex", "jcb"),
    cardCountry: fc.constantFrom("DE", "US", ""),
    funding: fc.constantFrom("credit", "debit", "prepaid", "unknown"),
    down: fc.subarray([...names]),
    kind: fc.constantFrom(...strategyKinds),
    exploreBps: fc.constantFrom(0, 5_000),
    leaf: fc.option(fc.record({ choose: fc.subarray([...names], { minLength: 1 }), others: fc.constantFrom("after", "never") }), {
      nil: undefined,
    }),
  })
  .map(({ down, kind, exploreBps, leaf, ...request }) =>
    sampleContext({
      request: sampleRequest(request),
      health: (name) => (down.includes(name) ? "down" : "up"),
      strategy: { kind, exploreBps },
      rules: leaf && rulesOf(leaf),
      rates: learned,
    }),
  );

test("every processor is in the decision once; ranked exactly when it is eligible, allowed and up; ranks count from 1", () => {
  fc.assert(
    fc.property(context, (one) => {
      const { candidates } = route(one);
      expect(candidates.map(({ processor }) => processor).sort()).toEqual([...names].sort());
      const ranked = candidates.filter(({ rank }) => rank > 0);
      expect(ranked.map(({ rank }) => rank)).toEqual(ranked.map((_, index) => index + 1));
      const root = one.rules?.root;
      for (const processor of one.processors) {
        const isAllowed = root?.kind !== "choose" || root.others === "after" || root.processors.includes(processor.name);
        const isFit = exclusionsOf(processor, one.request).length === 0 && isAllowed && one.health(processor.name) === "up";
        expect(ranked.some((candidate) => candidate.processor === processor.name)).toBe(isFit);
      }
      for (const { reasons } of candidates) expect(reasons.length).toBeGreaterThan(0);
      expect(route(one)).toEqual({ ...route(one), candidates });
    }),
  );
});

test("by cost and without rules, nobody who is ranked is cheaper than the first", () => {
  fc.assert(
    fc.property(context, (one) => {
      const decision = route({ ...one, rules: undefined, strategy: { kind: "cost", exploreBps: 0 } });
      const fees = rankedProcessors(decision).map((name) => {
        const processor = one.processors.find((other) => other.name === name);
        return processor && exactFee(processor.feeTable, one.request);
      });
      const priced = fees.filter((fee) => fee !== undefined);
      expect(fees[0] === undefined ? priced.length === 0 : priced.every((fee) => fee >= (fees[0] as bigint))).toBe(true);
    }),
  );
});

test.each([
  ["two processors of one name", [sampleProfile, sampleProfile]],
  ["more processors than a decision can list", Array.from({ length: 17 }, (_, index) => ({ ...sampleProfile, name: `p${index}` }))],
])("%s are a mistake in the settings", (_name, profiles) => {
  expect(() => makeProcessors(profiles)).toThrow();
});
