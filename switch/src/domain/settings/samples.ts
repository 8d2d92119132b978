/** Settings documents for tests: good ones, and what makes them bad, each with the path where the parser says so. */
import { required } from "@florin/kernel";
import { usualLimits } from "../limits/index.ts";
import { interchangeClasses } from "../routing/fees.ts";
import type { BuiltIn } from "./built-in.ts";

export const sampleMerchant = "mer_01jhmvw3k8q2r5t7v9x1z3b5d7";
const thresholds = { raisedFrom: 5, blockedFrom: 50 };
export const sampleBuiltIn: BuiltIn = {
  processors: ["simpay"],
  velocity: { cardPerHour: thresholds, cardPerDay: thresholds, ipPerHour: thresholds, merchantPerMinute: thresholds },
  ...usualLimits,
};

export const smallestDocument = { processors: [{ name: "simpay" }], merchants: { default: { strategy: { kind: "listed" } } } };

/** Every field that there is. */
export const wholeDocument = {
  $schema: "settings.schema.json",
  version: 3,
  processors: [
    {
      name: "simpay",
      enabled: true,
      currencies: "any",
      networks: ["visa", "mastercard"],
      cardCountries: ["DE", "FR"],
      amountsMinor: { EUR: { min: 100, max: 500_000 }, JPY: { min: 0, max: 999_999_999_999 } },
      fees: { rateBps: 140, fixedMinor: { EUR: 25, USD: 30 }, interchange: "blended" },
      secrets: { api: "file:/run/secrets/simpay-live.2026", webhook: "env:FLORIN_SIMPAY_WEBHOOK_KEY" },
    },
    {
      name: "simiso",
      enabled: false,
      currencies: ["EUR"],
      fees: { rateBps: 45, fixedMinor: {}, interchange: Object.fromEntries(interchangeClasses.map((one) => [one, 20])) },
    },
  ],
  merchants: {
    default: { country: "DE", strategy: { kind: "cost", explorePercent: 0 } },
    [sampleMerchant]: {
      strategy: { kind: "value", explorePercent: 2 },
      needs: ["multiple_captures", "reversal"],
      rules: {
        when: {
          all: [
            { field: "currency", in: ["EUR"] },
            {
              any: [
                { field: "network", in: ["visa"] },
                { field: "cardCountry", in: ["DE"] },
              ],
            },
            { not: { field: "funding", in: ["prepaid"] } },
            { field: "amount", currency: "EUR", atLeast: 100, atMost: 100_000 },
          ],
        },
        use: {
          split: [
            { share: 70, to: { priority: ["simpay"], others: "never" } },
            { share: 30, to: { choose: ["simiso", "simpay"] } },
          ],
        },
        otherwise: { priority: ["simpay", "simiso"] },
      },
    },
  },
  limits: {
    velocity: {
      cardAttemptsPerHour: { raisedFrom: 6, blockedFrom: 30 },
      cardAttemptsPerDay: { raisedFrom: 20, blockedFrom: 100 },
      ipAttemptsPerHour: { raisedFrom: 30, blockedFrom: 200 },
      merchantAttemptsPerMinute: { raisedFrom: 60_000, blockedFrom: 600_000 },
    },
    cascadeAttemptsMax: 3,
    cascadeWithinMs: 10_000,
    requestsPerKey: { default: { perSecond: 1_000, burst: 2_000 }, [sampleMerchant]: { perSecond: 50, burst: 100 } },
    circuits: {
      failurePercent: 60,
      resultsMin: 5,
      windowMs: 30_000,
      slowAfterMs: 2_500,
      openMs: 1_500,
      openMsMax: 9_000,
      refusalsMin: 0,
      failuresInRow: 4,
      probesMax: 2,
    },
    retries: { percent: 5, savedMax: 64, perSecondMin: 2 },
    switchCalls: { ...usualLimits.switchCalls, inFlightMax: 4_096, readsCeilingPercent: 50 },
    edgeCalls: {
      ...{ inFlightMin: 400, inFlightMax: 2_048, ownTimeTargetMs: 40, retryAfterMs: 2_000, retryAfterMsMax: 60_000 },
      ...{ readsCeilingPercent: 50, capturesCeilingPercent: 60, refundsCeilingPercent: 70 },
      ...{ readsBulkheadPercent: 30, capturesBulkheadPercent: 31, refundsBulkheadPercent: 32, authorizationsBulkheadPercent: 90 },
      merchantCallsPerFreeCall: 2,
    },
  },
  bins: [
    { prefix: "424242", country: "FR", funding: "credit" },
    { prefix: "42424299", country: "DE" },
  ],
};

type Place = readonly (string | number)[];
const nothing = Symbol("nothing");
export const removed: unknown = nothing;

/** A copy of the document with another value at `place`; `removed` takes the field away. */
export function changedAt(document: unknown, place: Place, value: unknown): unknown {
  const copy: unknown = structuredClone(document);
  let target = copy as Record<string | number, unknown>;
  for (const step of place.slice(0, -1)) target = target[step] as Record<string | number, unknown>;
  const last = required(place.at(-1), "a place");
  if (value === removed && Array.isArray(target)) target.splice(Number(last), 1);
  else if (value === removed) delete target[last];
  else target[last] = value;
  return copy;
}

export type BadSample = {
  readonly what: string;
  readonly place: Place;
  readonly value: unknown;
  /** Where the parser says it. */
  readonly path: string;
  /** JSON Schema cannot say this. */
  readonly isBeyondSchema?: true;
};

const beyond = { isBeyondSchema: true } as const;
const rules = ["merchants", sampleMerchant, "rules"] as const;
const rulesPath = `merchants.${sampleMerchant}.rules`;
const bad = (what: string, place: Place, value: unknown, path: string, more: { isBeyondSchema?: true } = {}): BadSample => ({
  what,
  place,
  value,
  path,
  ...more,
});

/** Changes to `wholeDocument`. */
export const badSamples: readonly BadSample[] = [
  bad("a field that nobody knows", ["fee"], {}, ""),
  bad("a version that is no number", ["version"], "3", "version"),
  bad("no processors", ["processors"], removed, "processors"),
  bad("an empty list of processors", ["processors"], [], "processors"),
  bad("a processor that is none", ["processors", 0], "simpay", "processors[0]"),
  bad("a processor without a name", ["processors", 0, "name"], removed, "processors[0].name"),
  bad("a name in capitals", ["processors", 0, "name"], "SimPay", "processors[0].name"),
  bad("a processor twice", ["processors", 1, "name"], "simpay", "processors[1].name", beyond),
  bad("nobody enabled", ["processors", 0, "enabled"], false, "processors", beyond),
  bad("a misspelt field of a processor", ["processors", 0, "curencies"], ["EUR"], "processors[0]"),
  bad("yes for true", ["processors", 0, "enabled"], "yes", "processors[0].enabled"),
  bad("a currency that is none", ["processors", 0, "currencies"], ["EURO"], "processors[0].currencies"),
  bad("an empty list of currencies", ["processors", 0, "currencies"], [], "processors[0].currencies"),
  bad("a code twice", ["processors", 0, "networks"], ["visa", "visa"], "processors[0].networks"),
  bad("a brand in capitals", ["processors", 0, "networks"], ["VISA"], "processors[0].networks"),
  bad("a country in words", ["processors", 0, "cardCountries"], ["Germany"], "processors[0].cardCountries"),
  bad("an amount in a currency that is none", ["processors", 0, "amountsMinor", "EURO"], { min: 1, max: 2 }, "processors[0].amountsMinor"),
  bad("half a cent", ["processors", 0, "amountsMinor", "EUR", "min"], 0.5, "processors[0].amountsMinor.EUR.min"),
  bad("an amount without an end", ["processors", 0, "amountsMinor", "EUR"], { min: 1 }, "processors[0].amountsMinor.EUR.max"),
  bad("an empty range", ["processors", 0, "amountsMinor", "EUR", "min"], 500_001, "processors[0].amountsMinor.EUR", beyond),
  bad("fees without a rate", ["processors", 0, "fees", "rateBps"], removed, "processors[0].fees.rateBps"),
  bad("more than half of the amount", ["processors", 0, "fees", "rateBps"], 5_001, "processors[0].fees.rateBps"),
  bad("a negative fee", ["processors", 0, "fees", "fixedMinor", "EUR"], -1, "processors[0].fees.fixedMinor.EUR"),
  bad("a fee in a currency that is none", ["processors", 0, "fees", "fixedMinor", "EURO"], 1, "processors[0].fees.fixedMinor"),
  bad("fees without fixed ones", ["processors", 0, "fees", "fixedMinor"], removed, "processors[0].fees.fixedMinor"),
  bad("an interchange that is neither", ["processors", 0, "fees", "interchange"], "plus", "processors[0].fees.interchange"),
  bad(
    "an interchange without a class",
    ["processors", 1, "fees", "interchange", "debit_domestic"],
    removed,
    "processors[1].fees.interchange.debit_domestic",
  ),
  bad(
    "a sum of rates above the half",
    ["processors", 1, "fees", "interchange", "debit_domestic"],
    4_990,
    "processors[1].fees.interchange.debit_domestic",
    beyond,
  ),
  bad("a secret itself", ["processors", 0, "secrets", "api"], "hunter2", "processors[0].secrets.api"),
  bad("a way upwards to a secret", ["processors", 0, "secrets", "api"], "file:/run/../etc/shadow", "processors[0].secrets.api"),
  bad("a secret's name with a space", ["processors", 0, "secrets", "api key"], "env:KEY", "processors[0].secrets"),
  bad("no merchants", ["merchants"], removed, "merchants.default"),
  bad("no default", ["merchants", "default"], removed, "merchants.default"),
  bad("a merchant that is none", ["merchants", "shop"], { strategy: { kind: "listed" } }, "merchants"),
  bad("a country in small letters", ["merchants", "default", "country"], "de", "merchants.default.country"),
  bad("a merchant without a strategy", ["merchants", "default", "strategy"], removed, "merchants.default.strategy"),
  bad("a strategy that is none", ["merchants", "default", "strategy", "kind"], "luck", "merchants.default.strategy.kind"),
  bad(
    "half a percent",
    ["merchants", sampleMerchant, "strategy", "explorePercent"],
    0.5,
    `merchants.${sampleMerchant}.strategy.explorePercent`,
  ),
  bad(
    "a draw that teaches nothing",
    ["merchants", "default", "strategy", "explorePercent"],
    5,
    "merchants.default.strategy.explorePercent",
  ),
  bad("rules that are no tree", rules, [], rulesPath),
  bad("a rule for a processor that is none", [...rules, "otherwise", "priority", 0], "omega", `${rulesPath}.otherwise.priority[0]`, beyond),
  bad("shares beside 100", [...rules, "use", "split", 0, "share"], 69, `${rulesPath}.use.split`, beyond),
  bad("a field of no condition", [...rules, "when", "all", 0, "field"], "pan", `${rulesPath}.when.all[0].field`),
  bad("a value that can never match", [...rules, "when", "all", 0, "in"], ["eur"], `${rulesPath}.when.all[0].in`),
  bad("a branch that is missing", [...rules, "otherwise"], removed, `${rulesPath}.otherwise`),
  bad("an ability that is none", ["merchants", sampleMerchant, "needs", 0], "luck", `merchants.${sampleMerchant}.needs`),
  bad("an ability twice", ["merchants", sampleMerchant, "needs", 0], "reversal", `merchants.${sampleMerchant}.needs`),
  bad("an ability that is no text", ["merchants", sampleMerchant, "needs"], "reversal", `merchants.${sampleMerchant}.needs`),
  bad("an empty list of abilities", ["merchants", sampleMerchant, "needs"], [], `merchants.${sampleMerchant}.needs`),
  bad("ranges by name", ["bins"], { "424242": "FR" }, "bins"),
  bad("a range that is none", ["bins", 0], "424242", "bins[0]"),
  bad("a range of five digits", ["bins", 0, "prefix"], "42424", "bins[0].prefix"),
  bad("a range of nine digits", ["bins", 0, "prefix"], "424242424", "bins[0].prefix"),
  bad("a range that is a number", ["bins", 0, "prefix"], 424_242, "bins[0].prefix"),
  bad("a range twice", ["bins", 1, "prefix"], "424242", "bins[1].prefix", beyond),
  bad("a range of no country", ["bins", 0, "country"], removed, "bins[0].country"),
  bad("a country in three letters", ["bins", 0, "country"], "FRA", "bins[0].country"),
  bad("a kind that is said to be unknown", ["bins", 0, "funding"], "unknown", "bins[0].funding"),
  bad("a misspelt field of a range", ["bins", 0, "issuer"], "a bank", "bins[0]"),
  bad("a rate for nobody", ["limits", "requestsPerKey", "shop"], { perSecond: 1, burst: 1 }, "limits.requestsPerKey"),
  bad("a rate of none", ["limits", "requestsPerKey", "default", "perSecond"], 0, "limits.requestsPerKey.default.perSecond"),
  bad("a rate without a burst", ["limits", "requestsPerKey", "default", "burst"], removed, "limits.requestsPerKey.default.burst"),
  bad("limits that are none", ["limits"], 7, "limits"),
  bad("a limit that nobody knows", ["limits", "cascadeAttempts"], 3, "limits"),
  bad("a fourth attempt", ["limits", "cascadeAttemptsMax"], 4, "limits.cascadeAttemptsMax"),
  bad("a cascade without time", ["limits", "cascadeWithinMs"], 99, "limits.cascadeWithinMs"),
  bad("a window that nobody counts", ["limits", "velocity", "cardAttemptsPerYear"], thresholds, "limits.velocity"),
  bad("half a limit", ["limits", "velocity", "ipAttemptsPerHour", "blockedFrom"], removed, "limits.velocity.ipAttemptsPerHour.blockedFrom"),
  bad("circuits that are none", ["limits", "circuits"], [], "limits.circuits"),
  bad("a circuit that opens without a failure", ["limits", "circuits", "failurePercent"], 0, "limits.circuits.failurePercent"),
  bad("a window that is longer than may be", ["limits", "circuits", "windowMs"], 600_001, "limits.circuits.windowMs"),
  bad("half a retry", ["limits", "retries", "savedMax"], 0.5, "limits.retries.savedMax"),
  bad("a switch without a place", ["limits", "switchCalls", "inFlightMax"], 0, "limits.switchCalls.inFlightMax"),
  bad("a share beyond the whole", ["limits", "edgeCalls", "readsBulkheadPercent"], 101, "limits.edgeCalls.readsBulkheadPercent"),
  bad("a misspelt number", ["limits", "edgeCalls", "inFlight"], 7, "limits.edgeCalls"),
  bad("more places than there are", ["limits", "edgeCalls", "inFlightMin"], 2_049, "limits.edgeCalls.inFlightMin", beyond),
  bad("a longest wait before the least", ["limits", "edgeCalls", "retryAfterMsMax"], 1_999, "limits.edgeCalls.retryAfterMs", beyond),
  bad(
    "blocked before it is raised",
    ["limits", "velocity", "ipAttemptsPerHour", "raisedFrom"],
    201,
    "limits.velocity.ipAttemptsPerHour",
    beyond,
  ),
];
