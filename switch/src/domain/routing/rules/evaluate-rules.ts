/** Walks a merchant's rules to the leaf that speaks for a payment. */
import { required, unreachable } from "@florin/kernel";
import { drawBps } from "../payment-hash.ts";
import type { RoutingRequest } from "../routing-request.ts";
import type { MerchantRules, RuleCondition, RuleLeaf, RuleNode } from "./rule-tree.ts";

/** Always ends in a leaf; the walk is as long as the tree is deep. */
export function evaluateRules(rules: MerchantRules, request: RoutingRequest): RuleLeaf {
  let node: RuleNode = rules.root;
  while (node.kind === "when" || node.kind === "split") {
    if (node.kind === "when") node = holds(node.condition, request) ? node.use : node.otherwise;
    else {
      // Salted with its place: a split below a split draws anew, or its second branch would never be seen.
      const draw = drawBps(request.paymentId, node.path);
      node = required(
        node.branches.find(({ untilBps }) => draw < untilBps),
        "the shares of a split add up to a whole",
      ).to;
    }
  }
  return node;
}

function holds(condition: RuleCondition, request: RoutingRequest): boolean {
  switch (condition.kind) {
    case "in":
      return condition.values.has(request[condition.field]);
    case "amount":
      return request.currency === condition.currency && request.amountMinor >= condition.atLeast && request.amountMinor <= condition.atMost;
    case "all":
      return condition.of.every((one) => holds(one, request));
    case "any":
      return condition.of.some((one) => holds(one, request));
    case "not":
      return !holds(condition.of, request);
    default:
      return unreachable(condition);
  }
}
