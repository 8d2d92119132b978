import { expect, test } from "vitest";
import type { RequestFacts } from "../domain/fault-rule.ts";
import { createFaultRules, rulesMax } from "./fault-rules.ts";

const facts: RequestFacts = {
  operation: "authorization",
  reference: "att_1",
  merchantId: "mer_1",
  paymentId: "pay_1",
  merchantReference: "",
  amount: 1_000,
  currency: "EUR",
  cardLast4: "4242",
};

test("the first rule that fits decides, until its turns are over", () => {
  const rules = createFaultRules(() => 0);
  rules.add({ match: { operation: "capture" }, fault: "outage" });
  rules.add({ match: { card_last4: "4242", amount: 1_000 }, fault: "garbage", times: 2 });
  rules.add({ match: {}, fault: "delay" });
  const taken = Array.from({ length: 4 }, () => rules.take(facts)?.fault);
  expect(taken).toEqual(["garbage", "garbage", "delay", "delay"]);
  expect(rules.list().map((rule) => rule.happened)).toEqual([0, 2, 2]);
});

test("every field of a match must fit", () => {
  const rules = createFaultRules(() => 0);
  rules.add({ match: { reference_prefix: "att_", merchant_id: "mer_1", currency: "USD" }, fault: "outage" });
  expect(rules.take(facts)).toBeUndefined();
  expect(rules.take({ ...facts, currency: "USD" })?.fault).toBe("outage");
  expect(rules.take({ ...facts, currency: "USD", reference: "cap_1" })).toBeUndefined();
});

test("a probability is drawn for each request", () => {
  const draws = [0.2, 0.8, 0.3];
  const rules = createFaultRules(() => draws.shift() ?? 1);
  rules.add({ match: {}, fault: "outage", probability: 0.5 });
  expect([rules.take(facts)?.fault, rules.take(facts)?.fault, rules.take(facts)?.fault]).toEqual(["outage", undefined, "outage"]);
});

test("rules are bounded, removed by id and cleared", () => {
  const rules = createFaultRules(() => 0);
  const first = rules.add({ match: {}, fault: "outage" });
  for (let count = 1; count < rulesMax; count++) rules.add({ match: {}, fault: "outage" });
  expect(rules.add({ match: {}, fault: "outage" })).toBeUndefined();
  expect(rules.remove(first?.id ?? 0)).toBe(true);
  expect(rules.remove(first?.id ?? 0)).toBe(false);
  rules.clear();
  expect(rules.list()).toEqual([]);
});
