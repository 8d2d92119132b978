import { makeId, required } from "@florin/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sampleRequest } from "../samples.ts";
import { evaluateRules } from "./evaluate-rules.ts";
import { problemsMax } from "./findings.ts";
import { parseRules } from "./parse-rules.ts";
import { depthMax, type MerchantRules, type RuleLeaf, sizeMax } from "./rule-tree.ts";

const names = new Set(["alpha", "beta", "gamma"]);
const leaf = (name: string) => ({ priority: [name] });
const parse = (rules: unknown, version: unknown = 1) => parseRules({ version, rules }, names);

function parsed(rules: unknown): MerchantRules {
  const answer = parse(rules);
  if (answer.kind === "invalid") throw new Error(JSON.stringify(answer.problems));
  return answer.rules;
}

function problemsOf(rules: unknown, version?: unknown) {
  const answer = parse(rules, version);
  return answer.kind === "invalid" ? answer.problems : [];
}

const chosen = (rules: MerchantRules, request = sampleRequest()): string => required(evaluateRules(rules, request).processors[0], "a name");

test("the first condition that holds decides", () => {
  const rules = parsed({
    when: { field: "currency", in: ["EUR", "USD"] },
    use: { when: { field: "amount", currency: "EUR", atLeast: 10_000 }, use: leaf("alpha"), otherwise: leaf("beta") },
    otherwise: leaf("gamma"),
  });
  expect(chosen(rules, sampleRequest({ amountMinor: 10_000n }))).toBe("alpha");
  expect(chosen(rules, sampleRequest({ amountMinor: 9_999n }))).toBe("beta");
  expect(chosen(rules, sampleRequest({ currency: "JPY" }))).toBe("gamma");
});

test("an amount is compared in its own currency only", () => {
  const rules = parsed({ when: { field: "amount", currency: "JPY", atMost: 9_999 }, use: leaf("alpha"), otherwise: leaf("beta") });
  expect(chosen(rules, sampleRequest({ currency: "EUR", amountMinor: 1n }))).toBe("beta");
  expect(chosen(rules, sampleRequest({ currency: "JPY", amountMinor: 9_999n }))).toBe("alpha");
});

test("conditions are joined by all, any and not", () => {
  const debit = { field: "funding", in: ["debit"] };
  const american = { field: "cardCountry", in: ["US"] };
  const holds = (when: unknown, request = sampleRequest()) =>
    chosen(parsed({ when, use: leaf("alpha"), otherwise: leaf("beta") }), request) === "alpha";
  expect([holds({ all: [debit, american] }), holds({ any: [american, debit] }), holds({ not: american }), holds({ not: debit })]).toEqual([
    false,
    true,
    true,
    false,
  ]);
  expect(holds({ all: [debit, american] }, sampleRequest({ cardCountry: "US" }))).toBe(true);
});

test("a leaf keeps its order, what becomes of the others, and its place", () => {
  const rules = parsed({
    when: { field: "network", in: ["visa"] },
    use: { choose: ["beta", "alpha"], others: "never" },
    otherwise: leaf("gamma"),
  });
  expect(evaluateRules(rules, sampleRequest())).toEqual({
    kind: "choose",
    processors: ["beta", "alpha"],
    others: "never",
    path: "rules.use",
  });
});

const ids = Array.from({ length: 20_000 }, (_, index) => {
  const random = new Uint8Array(10);
  new DataView(random.buffer).setUint32(2, index);
  return makeId("payment", 1_768_478_400_000 + index, random);
});

function shares(rules: MerchantRules): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const paymentId of ids) {
    const name = chosen(rules, sampleRequest({ paymentId }));
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

test("a split gives each branch its share, and a payment the same branch every time", () => {
  const rules = parsed({
    split: [
      { share: 70, to: leaf("alpha") },
      { share: 29, to: leaf("beta") },
      { share: 1, to: leaf("gamma") },
    ],
  });
  const counts = shares(rules);
  // Four standard deviations of a binomial draw.
  for (const [name, share] of [
    ["alpha", 0.7],
    ["beta", 0.29],
    ["gamma", 0.01],
  ] as const)
    expect(Math.abs((counts[name] ?? 0) - ids.length * share)).toBeLessThan(4 * Math.sqrt(ids.length * share * (1 - share)));
  expect(shares(rules)).toEqual(counts);
});

test("a split below a split draws anew", () => {
  const half = {
    split: [
      { share: 50, to: leaf("beta") },
      { share: 50, to: leaf("gamma") },
    ],
  };
  const counts = shares(
    parsed({
      split: [
        { share: 50, to: leaf("alpha") },
        { share: 50, to: half },
      ],
    }),
  );
  expect(Math.abs((counts["beta"] ?? 0) - (counts["gamma"] ?? 0))).toBeLessThan(600);
});

test("a branch without a share is never taken", () => {
  expect(
    shares(
      parsed({
        split: [
          { share: 0, to: leaf("alpha") },
          { share: 100, to: leaf("beta") },
        ],
      }),
    ),
  ).toEqual({ beta: ids.length });
});

test.each<[string, unknown, string, RegExp]>([
  ["rules that are no object", 7, "rules", /must be an object/],
  ["a node of no kind", {}, "rules", /one of when, split/],
  [
    "a misspelt field",
    { when: { field: "currency", in: ["EUR"] }, use: leaf("alpha"), otherwis: leaf("beta") },
    "rules",
    /field beside when, use, otherwise/,
  ],
  ["a branch that is missing", { when: { field: "currency", in: ["EUR"] }, use: leaf("alpha") }, "rules.otherwise", /must be an object/],
  [
    "a field that is none",
    { when: { field: "pan", in: ["4"] }, use: leaf("alpha"), otherwise: leaf("beta") },
    "rules.when.field",
    /one of currency/,
  ],
  [
    "a value that can never match",
    { when: { any: [{ field: "currency", in: ["eur"] }] }, use: leaf("alpha"), otherwise: leaf("beta") },
    "rules.when.any[0].in",
    /ISO 4217/,
  ],
  ["an empty list", { when: { field: "network", in: [] }, use: leaf("alpha"), otherwise: leaf("beta") }, "rules.when.in", /1 to 64/],
  [
    "an amount without a currency",
    { when: { field: "amount", atLeast: 1 }, use: leaf("alpha"), otherwise: leaf("beta") },
    "rules.when.currency",
    /ISO 4217/,
  ],
  [
    "half a cent",
    { when: { field: "amount", currency: "EUR", atMost: 0.5 }, use: leaf("alpha"), otherwise: leaf("beta") },
    "rules.when.atMost",
    /minor units/,
  ],
  [
    "a range that is empty",
    { when: { field: "amount", currency: "EUR", atLeast: 2, atMost: 1 }, use: leaf("alpha"), otherwise: leaf("beta") },
    "rules.when",
    /not be above/,
  ],
  [
    "shares beside 100",
    {
      split: [
        { share: 70, to: leaf("alpha") },
        { share: 29, to: leaf("beta") },
      ],
    },
    "rules.split",
    /add up to 100/,
  ],
  [
    "half a percent",
    {
      split: [
        { share: 99.5, to: leaf("alpha") },
        { share: 0.5, to: leaf("beta") },
      ],
    },
    "rules.split[0].share",
    /whole number/,
  ],
  ["a split that splits nothing", { split: [{ share: 100, to: leaf("alpha") }] }, "rules.split", /2 to 64/],
  [
    "a processor that is none",
    {
      split: [
        { share: 50, to: leaf("alpha") },
        { share: 50, to: { choose: ["beta", "omega"] } },
      ],
    },
    "rules.split[1].to.choose[1]",
    /no processor/,
  ],
  ["a processor named twice", { priority: ["alpha", "beta", "alpha"] }, "rules.priority", /twice/],
  ["others that are neither", { priority: ["alpha"], others: "maybe" }, "rules.others", /after or never/],
])("%s is told with its place", (_name, rules, path, problem) => {
  expect(problemsOf(rules)).toContainEqual({ path, problem: expect.stringMatching(problem) });
});

test.each([0, 1.5, "1", undefined])("version %s is refused", (version) => {
  expect(problemsOf(leaf("alpha"), version === undefined ? null : version)).toEqual([{ path: "version", problem: expect.any(String) }]);
});

const isEur = { field: "currency", in: ["EUR"] };
const nested = (depth: number): unknown => (depth === 1 ? leaf("alpha") : { when: isEur, use: nested(depth - 1), otherwise: leaf("beta") });

test("depth is bounded, of nodes and of conditions", () => {
  expect(problemsOf(nested(depthMax))).toEqual([]);
  expect(problemsOf(nested(depthMax + 1))).toContainEqual({
    path: `rules${".use".repeat(depthMax)}`,
    problem: expect.stringMatching(/deep/),
  });
  const negated = (depth: number): unknown => (depth === 1 ? isEur : { not: negated(depth - 1) });
  const rules = (depth: number) => ({ when: negated(depth), use: leaf("alpha"), otherwise: leaf("beta") });
  expect([problemsOf(rules(depthMax)).length, problemsOf(rules(depthMax + 1)).length]).toEqual([0, 1]);
});

test("size is bounded, and rules of a million nodes are given up at the bound", () => {
  const wide = (conditions: number) => ({
    when: {
      any: [
        { any: Array(50).fill(isEur) },
        { any: Array(50).fill(isEur) },
        { any: Array(50).fill(isEur) },
        { any: Array(conditions).fill(isEur) },
      ],
    },
    use: leaf("alpha"),
    otherwise: leaf("beta"),
  });
  // Three nodes, one condition of four, the four, and 150 below the first three of them.
  expect(problemsOf(wide(sizeMax - 158))).toEqual([]);
  expect(problemsOf(wide(sizeMax - 157))).toContainEqual({ path: expect.any(String), problem: expect.stringMatching(/more than 200/) });
  let visited = 0;
  const counted = {
    get field() {
      visited += 1;
      return "currency";
    },
    in: ["EUR"],
  };
  const huge = { any: Array(64).fill({ any: Array(64).fill({ any: Array(64).fill(counted) }) }) };
  expect(problemsOf({ when: huge, use: leaf("alpha"), otherwise: leaf("beta") }).length).toBeLessThanOrEqual(problemsMax);
  expect(visited).toBeLessThanOrEqual(3 * sizeMax);
});

test("no JSON makes the reader throw or repeat what it read; what it accepts can be walked", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      const answer = parseRules(json, names);
      if (answer.kind === "parsed") evaluateRules(answer.rules, sampleRequest());
    }),
  );
});

const leafOf = fc.record({ choose: fc.subarray([...names], { minLength: 1 }), others: fc.constantFrom("after", "never") });
const treeOf = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { maxDepth: depthMax - 2, withCrossShrink: true },
    leafOf,
    fc.record({ when: fc.constant({ not: isEur }), use: tie("node"), otherwise: tie("node") }),
    fc.tuple(fc.nat(100), tie("node"), tie("node")).map(([share, left, right]) => ({
      split: [
        { share, to: left },
        { share: 100 - share, to: right },
      ],
    })),
  ),
})).node;

test("every tree within the bounds is read, and every payment ends in a leaf that stands where its path says", () => {
  let walked = 0;
  fc.assert(
    fc.property(treeOf, fc.nat(ids.length - 1), (tree, index) => {
      const answer = parse(tree);
      if (answer.kind === "invalid") return expect(answer.problems[0]?.problem).toMatch(/more than 200/);
      const found: RuleLeaf = evaluateRules(answer.rules, sampleRequest({ paymentId: required(ids[index], "an id") }));
      const place = found.path
        .split(/[.[\]]+/)
        .slice(1)
        .filter((part) => part !== "");
      const written = place.reduce((node: unknown, part) => (node as Record<string, unknown>)[part], tree);
      expect(written).toMatchObject({ choose: found.processors, others: found.others });
      walked += 1;
      return undefined;
    }),
  );
  expect(walked).toBeGreaterThan(50);
});
