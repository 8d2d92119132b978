import { required } from "@florin/kernel";
import { testCards } from "@florin/kernel/test-cards";
import { describe, expect, test } from "vitest";
import type { HouseSettings } from "../routing/house-settings.ts";
import { capabilities } from "../routing/processor-profile.ts";
import { binsMax, documentLengthMax, problemsMax } from "./bounds.ts";
import { builtInLimits, defaultSettings, readBuiltIn } from "./built-in.ts";
import { changesBetween } from "./changes.ts";
import { type ConnectorRegistry, makeHouse, registryProblems } from "./make-house.ts";
import { parseSettings, type ReadSettings, type SettingsProblem } from "./parse-settings.ts";
import { badSamples, changedAt, sampleBuiltIn, sampleMerchant, smallestDocument, wholeDocument } from "./samples.ts";
import { looksSecret } from "./secret-reference.ts";
import { readSettingsJson } from "./settings-json.ts";

const sampleLimits = builtInLimits(sampleBuiltIn);
const parse = (json: unknown, version = 4) => parseSettings(json, { version, limits: sampleLimits });

function read(json: unknown): ReadSettings {
  const answer = parse(json);
  if (answer.kind === "invalid") throw new Error(JSON.stringify(answer.problems));
  return answer.settings;
}

function problemsOf(json: unknown): readonly SettingsProblem[] {
  const answer = parse(json);
  return answer.kind === "invalid" ? answer.problems : [];
}

const able = { currencies: "any", networks: "any", capabilities: new Set(capabilities) } as const;
const registry = (...entries: ConnectorRegistry extends ReadonlyMap<infer K, infer V> ? [K, V][] : never): ConnectorRegistry =>
  new Map(entries);
const named = (house: HouseSettings, name: string) =>
  required(
    house.processors.find((one) => one.name === name),
    "a processor",
  );

test("a document says everything that payments are decided by", () => {
  const house = makeHouse(read(wholeDocument), undefined);
  expect(house.version).toBe(4);
  expect(house.processors.map(({ name }) => name)).toEqual(["simpay"]);
  expect(named(house, "simpay")).toMatchObject({
    currencies: "any",
    networks: new Set(["visa", "mastercard"]),
    cardCountries: new Set(["DE", "FR"]),
    fees: {
      rateBps: 140,
      fixedMinor: new Map([
        ["EUR", 25n],
        ["USD", 30n],
      ]),
      interchange: "blended",
    },
  });
  expect(named(house, "simpay").amounts.get("EUR")).toEqual({ minMinor: 100n, maxMinor: 500_000n });
  expect(house.merchant(sampleMerchant)).toMatchObject({
    country: "",
    strategy: { kind: "value", exploreBps: 200 },
    rules: { version: 4 },
    needs: ["multiple_captures", "reversal"],
  });
  expect(house.merchant("mer_somebody_else")).toEqual({
    country: "DE",
    strategy: { kind: "cost", exploreBps: 0 },
    rules: undefined,
    needs: [],
  });
  expect(house.limits).toEqual({
    velocity: {
      cardPerHour: { raisedFrom: 6, blockedFrom: 30 },
      cardPerDay: { raisedFrom: 20, blockedFrom: 100 },
      ipPerHour: { raisedFrom: 30, blockedFrom: 200 },
      merchantPerMinute: { raisedFrom: 60_000, blockedFrom: 600_000 },
    },
    cascadeAttemptsMax: 3,
    cascadeWithinMs: 10_000,
    requestsPerKey: new Map([
      ["default", { perSecond: 1_000, burst: 2_000 }],
      [sampleMerchant, { perSecond: 50, burst: 100 }],
    ]),
    ...{ circuits: wholeDocument.limits.circuits, retries: wholeDocument.limits.retries },
    ...{ switchCalls: wholeDocument.limits.switchCalls, edgeCalls: wholeDocument.limits.edgeCalls },
  });
});

test("where a card is from: the longest prefix says it, and none is no country", () => {
  const { issuers } = makeHouse(read(wholeDocument), undefined);
  expect(issuers.issuerOf("42424242")).toEqual({ country: "FR", funding: "credit" });
  expect(issuers.issuerOf("424242")).toEqual({ country: "FR", funding: "credit" });
  expect(issuers.issuerOf("42424299")).toEqual({ country: "DE", funding: "unknown" });
  for (const bin of ["42424", "52424242", ""]) expect(issuers.issuerOf(bin)).toBeUndefined();
});

test("a table as long as it may be is read, fits the document, and is compared by prefixes", () => {
  const bins = Array.from({ length: binsMax }, (_, index) => ({ prefix: String(40_000_000 + index), country: "FR", funding: "prepaid" }));
  const long = { ...wholeDocument, bins };
  expect(JSON.stringify(long).length).toBeLessThan(documentLengthMax);
  expect(readSettingsJson(JSON.stringify(long, null, 2)).kind).toBe("json");
  expect(makeHouse(read(long), undefined).issuers.issuerOf("40019999")).toEqual({ country: "FR", funding: "prepaid" });
  expect(problemsOf({ ...long, bins: [...bins, { prefix: "510000", country: "FR" }] })).toMatchObject([{ path: "bins" }]);
  const changed = changedAt(long, ["bins", 7, "country"], "DE");
  expect(changesBetween(long, changed)).toEqual({ shown: [{ path: "bins[40000007].country", before: '"FR"', after: '"DE"' }], count: 1 });
  expect(changesBetween(long, { ...long, bins: bins.toReversed() }).count).toBe(0);
});

test("a limit that is not named is as the process was started with", () => {
  const { limits } = read({ ...smallestDocument, limits: { cascadeAttemptsMax: 1 } });
  expect(limits).toEqual({ ...sampleLimits, cascadeAttemptsMax: 1 });
});

test("what is built in is one processor for everything, without prices and rules", () => {
  const house = defaultSettings(sampleBuiltIn);
  expect([house.version, house.limits]).toEqual([0, sampleLimits]);
  expect(house.processors).toMatchObject([{ name: "simpay", currencies: "any", networks: "any", cardCountries: "any" }]);
  expect(house.merchant(sampleMerchant)).toEqual({ country: "", strategy: { kind: "listed", exploreBps: 0 }, rules: undefined, needs: [] });
});

test("limits of a process that make no sense together keep it from starting", () => {
  const velocity = { ...sampleBuiltIn.velocity, ipPerHour: { raisedFrom: 9, blockedFrom: 8 } };
  expect(() => readBuiltIn({ ...sampleBuiltIn, velocity })).toThrow(/limits\.velocity\.ipAttemptsPerHour/);
  expect(() => readBuiltIn({ ...sampleBuiltIn, processors: ["simpay", ""] })).toThrow(/processors\[1\]\.name/);
});

test("all problems are told at once", () => {
  const wanted = ["yes for true", "a negative fee", "a country in small letters", "shares beside 100", "a fourth attempt", "half a limit"];
  const independent = badSamples.filter(({ what }) => wanted.includes(what));
  const document = independent.reduce((one, { place, value }) => changedAt(one, place, value), wholeDocument as unknown);
  const paths = new Set(problemsOf(document).map(({ path }) => path));
  for (const { path } of independent) expect(paths).toContain(path);
  expect(paths.size).toBe(wanted.length);
  const merchants = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`mer_${String(index).padStart(26, "0")}`, 7]));
  expect(problemsOf({ ...smallestDocument, merchants }).length).toBe(problemsMax);
});

describe("a secret or a card number", () => {
  const drawn = Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("hex");
  const secrets = [
    ["a card number", testCards.visa.number],
    ["a card number in groups", testCards.mastercard.number.replaceAll(/(.{4})(?=.)/g, "$1 ")],
    ["an API key", `sk_live_${drawn.slice(0, 12)}`],
    ["drawn bytes", drawn],
    ["a private key", "-----BEGIN PRIVATE KEY-----"],
    ["a URL with a password", "https://florin:hunter2@processor.example"],
    ["an id that was drawn", crypto.randomUUID()],
  ] as const;

  test.each(secrets)("is refused wherever it stands, and never repeated: %s", (_name, secret) => {
    expect(looksSecret(secret)).toBe(true);
    const places: readonly (readonly [readonly (string | number)[], string])[] = [
      [["processors", 0, "secrets", "api"], "processors[0].secrets.api"],
      [["processors", 0, "secrets", "webhook"], "processors[0].secrets.webhook"],
      [["processors", 0, "password"], "processors[0].password"],
      [["merchants", "default", "rules"], "merchants.default.rules"],
    ];
    for (const [place, path] of places) {
      const problems = problemsOf(changedAt(wholeDocument, place, secret));
      expect(problems).toContainEqual({ path, problem: expect.stringMatching(/looks like a secret/) });
      expect(JSON.stringify(problems)).not.toContain(secret);
    }
    const asName = problemsOf(changedAt(wholeDocument, ["processors", 0, "secrets", secret], "env:KEY"));
    expect(asName).toContainEqual({ path: "processors[0].secrets", problem: expect.stringMatching(/looks like a secret/) });
    expect(JSON.stringify(asName)).not.toContain(secret);
  });

  test("in a place for a path or a variable is refused too", () => {
    for (const reference of [`file:/run/${drawn}`, `env:AKIA${"ABCDEFGH12345678"}`, `file:/run/${testCards.visa.number}`])
      expect(problemsOf(changedAt(wholeDocument, ["processors", 0, "secrets", "api"], reference))).toContainEqual({
        path: "processors[0].secrets.api",
        problem: expect.any(String),
      });
  });

  test.each([
    "simpay",
    "424242",
    "42424242",
    "file:/run/secrets/simpay-live-api-key.2026",
    "env:FLORIN_SIMPAY_API_KEY",
    sampleMerchant,
    "because Bob asked: 3 attempts, ticket 20261121",
  ])("is not what this is: %s", (text) => expect(looksSecret(text)).toBe(false));

  test("a document of beginnings of tokens is read once, not once for each beginning", () => {
    expect(looksSecret("eyJ".repeat(500_000))).toBe(false);
    expect(looksSecret(`${"eyJ".repeat(500_000)}.${"a".repeat(8)}`)).toBe(true);
  });
});

describe("with the connectors that there are", () => {
  const simpay = { currencies: new Set(["EUR", "USD"]), networks: new Set(["visa"]), capabilities: new Set(["reversal"] as const) };

  test("a processor takes what it is allowed to and its connector can, and can do what the connector can", () => {
    const house = makeHouse(read(wholeDocument), registry(["simpay", simpay]));
    expect(named(house, "simpay")).toMatchObject({
      currencies: new Set(["EUR", "USD"]),
      networks: new Set(["visa"]),
      capabilities: new Set(["reversal"]),
    });
  });

  test("what is built in is taken as it is", () => {
    expect(makeHouse(readBuiltIn(sampleBuiltIn), registry(["simiso", able])).processors).toMatchObject([
      { name: "simpay", currencies: "any" },
    ]);
  });

  test("a processor without a connector takes nothing", () => {
    expect(makeHouse(read(wholeDocument), registry(["simiso", able])).processors).toEqual([]);
  });

  test("what they cannot do is told before it is stored; what is not enabled may wait", () => {
    expect(registryProblems(read(wholeDocument), registry(["simpay", able]))).toEqual([]);
    expect(registryProblems(read(wholeDocument), registry(["simpay", simpay]))).toEqual([
      { path: "processors[0].networks", problem: "names what the connector does not take" },
    ]);
    expect(registryProblems(read(wholeDocument), registry())).toEqual([
      { path: "processors[0].name", problem: "is no connector of this house" },
    ]);
  });
});

describe("the text of a document", () => {
  test.each([
    ["no JSON", "{", /not JSON/],
    ["too long", JSON.stringify("x".repeat(4_000_000)), /longer than/],
    ["a field twice", '{"a":1,"b":{"c":1},"a":2}', /twice/],
    ["a field twice, spelled differently", '{"a":1,"\\u0061":2}', /twice/],
    ["a field twice below", '{"a":[{"b":1,"c":"}","b" : 2}]}', /twice/],
  ])("is refused: %s", (_name, text, problem) => {
    expect(readSettingsJson(text)).toEqual({ kind: "invalid", problems: [{ path: "", problem: expect.stringMatching(problem) }] });
  });

  test("may name the same field in different objects, and have brackets in texts", () => {
    expect(readSettingsJson('{"a":{"a":"{a:"},"b":[{"a":1},{"a":"a\\":"}]}').kind).toBe("json");
    expect(readSettingsJson(JSON.stringify(wholeDocument)).kind).toBe("json");
  });

  test("that stands too deep in itself is given up", () => {
    const deep = JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`) as unknown;
    expect(problemsOf({ ...smallestDocument, processors: deep })).toEqual([{ path: "", problem: expect.stringMatching(/too deep/) }]);
  });
});

describe("the difference of two documents", () => {
  test("is told by paths, processors by their names", () => {
    let after = changedAt(wholeDocument, ["processors", 0, "fees", "rateBps"], 150);
    after = changedAt(after, ["limits", "cascadeWithinMs"], 5_000);
    after = changedAt(after, ["merchants", "default", "country"], undefined);
    const { processors } = after as typeof wholeDocument;
    after = { ...(after as object), processors: processors.toReversed() };
    expect(changesBetween(wholeDocument, after).shown).toEqual([
      { path: "processors[simpay].fees.rateBps", before: "140", after: "150" },
      { path: "processors.order", before: '["simpay","simiso"]', after: '["simiso","simpay"]' },
      { path: "merchants.default.country", before: '"DE"', after: undefined },
      { path: "limits.cascadeWithinMs", before: "10000", after: "5000" },
    ]);
  });

  test("is nothing for another order of the fields", () => {
    const turned = Object.fromEntries(Object.entries(wholeDocument).toReversed());
    expect(changesBetween(wholeDocument, turned)).toEqual({ shown: [], count: 0 });
  });

  test("is bounded and counted", () => {
    const merchants = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`m${index}`, { country: "DE" }]));
    const { shown, count } = changesBetween({ merchants: {} }, { merchants });
    expect([shown.length, count]).toEqual([200, 1_000]);
    const [long] = changesBetween({ a: "" }, { a: "x".repeat(5_000) }).shown;
    expect(long?.after?.length).toBe(1_001);
  });
});
