/**
 * A merchant's routing rules: a small tree that is walked from the top until a leaf names processors.
 *
 *   { "version": 3,
 *     "rules": { "when": { "field": "currency", "in": ["EUR"] },
 *                "use": { "split": [ { "share": 70, "to": { "priority": ["a"] } }, { "share": 30, "to": { "priority": ["b"] } } ] },
 *                "otherwise": { "choose": ["a", "b", "c"], "others": "never" } } }
 *
 * `priority` is an order that holds whatever the strategy; `choose` leaves the order among the named ones to the strategy. The processors that
 * a leaf does not name come after, or never. A split draws by the payment's id, so a payment goes the same way however often it is asked.
 */
import type { Funding, RoutingRequest } from "../routing-request.ts";

/** Nodes below one another, the root being 1; conditions count with the node they stand in. */
export const depthMax = 8;
/** Nodes and conditions of one tree. */
export const sizeMax = 200;
/** Members of one list: codes, processors, branches. */
export const listMax = 64;

export const textFields = ["currency", "network", "cardCountry", "funding"] as const satisfies readonly (keyof RoutingRequest)[];
export const fundingWords = ["credit", "debit", "prepaid", "unknown"] as const satisfies readonly Funding[];

/** How card brands and countries (ISO 3166-1 alpha-2) are written. */
export const networkForm = /^[a-z][a-z_]{1,29}$/;
export const countryForm = /^[A-Z]{2}$/;

export type RuleCondition =
  | { readonly kind: "in"; readonly field: (typeof textFields)[number]; readonly values: ReadonlySet<string> }
  /** Minor units, both included; bound to one currency, because 1,000 yen are no 1,000 cents. */
  | { readonly kind: "amount"; readonly currency: string; readonly atLeast: bigint; readonly atMost: bigint }
  | { readonly kind: "all" | "any"; readonly of: readonly RuleCondition[] }
  | { readonly kind: "not"; readonly of: RuleCondition };

export type RuleNode =
  | {
      readonly kind: "when";
      readonly condition: RuleCondition;
      readonly use: RuleNode;
      readonly otherwise: RuleNode;
      readonly path: string;
    }
  /** `untilBps` of the branches rise to 10,000. */
  | { readonly kind: "split"; readonly branches: readonly { readonly untilBps: number; readonly to: RuleNode }[]; readonly path: string }
  | RuleLeaf;

export type RuleLeaf = {
  readonly kind: "priority" | "choose";
  readonly processors: readonly string[];
  readonly others: "after" | "never";
  /** Where in the merchant's JSON it stands. */
  readonly path: string;
};

export type MerchantRules = { readonly version: number; readonly root: RuleNode };
