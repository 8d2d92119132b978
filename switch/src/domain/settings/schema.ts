/**
 * The settings document as JSON Schema (2020-12), published as docs/settings.schema.json: for editors, and for whoever writes settings by program.
 *
 * The parser is the law. The schema never refuses what the parser takes; what it cannot say (names that must fit together, sums, secrets) the
 * parser alone refuses. `schema.test.ts` feeds both the same documents.
 */
import { amountMinorMax, currencies } from "@florin/kernel";
import { velocityWindows } from "../fraud/index.ts";
import { circuitFields, edgeCallFields, type LimitFields, retryFields, switchCallFields } from "../limits/index.ts";
import { attemptsMax } from "../routing/cascade.ts";
import { strategyKinds } from "../routing/decision.ts";
import { interchangeClasses, rateBpsMax } from "../routing/fees.ts";
import { prefixForm } from "../routing/issuer-table.ts";
import { capabilities } from "../routing/processor-profile.ts";
import { countryForm, fundingWords, listMax, networkForm } from "../routing/rules/rule-tree.ts";
import {
  attemptsCountMax,
  binsMax,
  cascadeWithinMs,
  codesMax,
  merchantsMax,
  processorName,
  processorsMax,
  requestsMax,
  secretName,
  secretsMax,
} from "./bounds.ts";
import { binFundings } from "./parse-bins.ts";
import { velocityNames } from "./parse-limits.ts";
import { secretReference } from "./secret-reference.ts";

type Schema = Readonly<Record<string, unknown>>;

const integer = (minimum: number, maximum: number, description: string): Schema => ({ type: "integer", minimum, maximum, description });
const text = (form: RegExp, description: string): Schema => ({ type: "string", pattern: form.source, description });
const ref = (name: string): Schema => ({ $ref: `#/$defs/${name}` });
const list = (items: Schema, maxItems: number, minItems = 1): Schema => ({ type: "array", minItems, maxItems, items });
const minor = integer(0, Number(amountMinorMax), "minor units of the currency");

/** An object without other fields; those of `required` must be there. */
function fields(properties: Readonly<Record<string, Schema>>, required: readonly string[], description?: string): Schema {
  return { type: "object", additionalProperties: false, properties, required, ...(description === undefined ? {} : { description }) };
}

const codes = (items: Schema, description: string): Schema => ({
  description,
  anyOf: [{ const: "any" }, { ...list(items, codesMax), uniqueItems: true }],
});
const byCurrency = (value: Schema, description: string): Schema => ({
  type: "object",
  description,
  propertyNames: ref("currency"),
  additionalProperties: value,
});

const fees: Schema = fields(
  {
    rateBps: integer(0, rateBpsMax, "basis points of the amount; under blended with interchange"),
    fixedMinor: byCurrency(minor, "per payment; a currency that is not listed has no price here"),
    interchange: {
      description: "blended: one price for all cards; otherwise the issuer's share by class, basis points, passed on",
      anyOf: [
        { const: "blended" },
        fields(Object.fromEntries(interchangeClasses.map((one) => [one, integer(0, rateBpsMax, "basis points")])), interchangeClasses),
      ],
    },
  },
  ["rateBps", "fixedMinor", "interchange"],
  "what the processor charges for an approved payment; absent: no price known",
);

const processor: Schema = fields(
  {
    name: text(processorName, "name in the connectors' registry"),
    enabled: { type: "boolean", default: true, description: "false: takes no payments; its open ones go on" },
    currencies: codes(ref("currency"), "ISO 4217; any: whatever the connector takes"),
    networks: codes(ref("network"), "card brands; any: whatever the connector takes"),
    cardCountries: codes(ref("country"), "countries of issue, ISO 3166-1 alpha-2"),
    amountsMinor: byCurrency(fields({ min: minor, max: minor }, ["min", "max"]), "bounds of one payment, both included"),
    fees,
    secrets: {
      type: "object",
      description: "where the process that needs a secret finds it; never the secret",
      maxProperties: secretsMax,
      propertyNames: { pattern: secretName.source },
      additionalProperties: text(secretReference, '"file:/run/secrets/name" or "env:FLORIN_SECRET_NAME"'),
    },
  },
  ["name"],
);

const merchant: Schema = fields(
  {
    country: { anyOf: [{ const: "" }, ref("country")], description: "where it is settled; absent: every card counts as one from abroad" },
    strategy: {
      ...fields(
        {
          kind: { enum: strategyKinds, description: "what orders the processors that the rules leave open" },
          explorePercent: integer(0, 100, "share of payments whose first processor is drawn, to learn about it; rate and value only"),
        },
        ["kind"],
      ),
      anyOf: [{ properties: { kind: { enum: ["rate", "value"] } } }, { properties: { explorePercent: { const: 0 } } }],
    },
    rules: { ...ref("node"), description: "walked from the top until a leaf names processors" },
    needs: {
      ...list({ enum: capabilities }, capabilities.length),
      uniqueItems: true,
      description: "what a processor must be able to do to take a payment of this merchant",
    },
  },
  ["strategy"],
);

const names = list({ type: "string" }, listMax);
const others = { enum: ["after", "never"], default: "after", description: "what becomes of processors that are not named" };
const node: Schema = {
  anyOf: [
    fields({ when: ref("condition"), use: ref("node"), otherwise: ref("node") }, ["when", "use", "otherwise"]),
    fields({ split: list(fields({ share: integer(0, 100, "percent of payments"), to: ref("node") }, ["share", "to"]), listMax, 2) }, [
      "split",
    ]),
    fields({ priority: { ...names, description: "an order that holds whatever the strategy" }, others }, ["priority"]),
    fields({ choose: { ...names, description: "the strategy orders them" }, others }, ["choose"]),
  ],
};

const isIn = (field: string, items: Schema): Schema => fields({ field: { const: field }, in: list(items, listMax) }, ["field", "in"]);
const condition: Schema = {
  anyOf: [
    isIn("currency", ref("currency")),
    isIn("network", ref("network")),
    isIn("cardCountry", ref("country")),
    isIn("funding", { enum: fundingWords }),
    fields({ field: { const: "amount" }, currency: ref("currency"), atLeast: minor, atMost: minor }, ["field", "currency"]),
    fields({ all: list(ref("condition"), listMax) }, ["all"]),
    fields({ any: list(ref("condition"), listMax) }, ["any"]),
    fields({ not: ref("condition") }, ["not"]),
  ],
};

const thresholds = fields(
  {
    raisedFrom: integer(1, attemptsCountMax, "attempts that raise the risk"),
    blockedFrom: integer(1, attemptsCountMax, "attempts that block"),
  },
  ["raisedFrom", "blockedFrom"],
);
const byMerchant = {
  type: "object",
  maxProperties: merchantsMax,
  propertyNames: { pattern: "^(?:default|mer_[0-7][0-9a-hjkmnp-tv-z]{25})$" },
};
const rate = fields(
  { perSecond: integer(1, requestsMax, "requests per second, on average"), burst: integer(1, requestsMax, "requests at once") },
  ["perSecond", "burst"],
);
const numbers = (known: LimitFields, description: string): Schema =>
  fields(
    Object.fromEntries(Object.entries(known).map(([name, { min, max, unit, help }]) => [name, integer(min, max, `${unit}: ${help}`)])),
    [],
    description,
  );
const limits: Schema = fields(
  {
    velocity: fields(Object.fromEntries(velocityWindows.map(({ name }) => [velocityNames[name], thresholds])), []),
    cascadeAttemptsMax: integer(1, attemptsMax, "attempts of one authorization, the first included"),
    requestsPerKey: {
      ...byMerchant,
      description: 'of one API key at one edge process, by merchant id; "default" holds for all others',
      additionalProperties: rate,
    },
    cascadeWithinMs: integer(cascadeWithinMs.min, cascadeWithinMs.max, "ms from the first attempt after which no further one begins"),
    circuits: numbers(circuitFields, "when a processor is sent no more of an operation, and for how long; at each switch"),
    retries: numbers(retryFields, "how often a processor is bothered about what it was sent already; at each switch"),
    switchCalls: numbers(switchCallFields, "calls of merchants in flight at each switch, from all edges together"),
    edgeCalls: numbers(edgeCallFields, "calls of merchants in flight at each edge; what is not named is as the edge was started with"),
  },
  [],
  "a limit that is not named is as the process was started with",
);

const bin: Schema = fields(
  {
    prefix: text(prefixForm, "first digits of card numbers; the longest prefix that fits a card counts"),
    country: ref("country"),
    funding: { enum: binFundings, description: "for cards whose kind the vault does not know; absent: unknown" },
  },
  ["prefix", "country"],
);

export const settingsSchema: Schema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Settings of the house",
  ...fields(
    {
      $schema: { type: "string" },
      version: {
        type: "integer",
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: "the version that this was made from; not stored",
      },
      processors: { ...list(processor, processorsMax), description: "in the order of the house, which decides between equals" },
      merchants: {
        ...byMerchant,
        description: 'by merchant id; "default" holds for all others',
        additionalProperties: merchant,
        required: ["default"],
      },
      limits,
      bins: { ...list(bin, binsMax, 0), description: "issuer ranges: where cards are from" },
    },
    ["processors", "merchants"],
  ),
  $defs: {
    currency: { enum: Object.keys(currencies) },
    network: { type: "string", pattern: networkForm.source },
    country: { type: "string", pattern: countryForm.source },
    node,
    condition,
  },
};
