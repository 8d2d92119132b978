import { required } from "@florin/kernel";
import { expect, test } from "vitest";
import { draft } from "../../domain/payment/index.ts";
import { sampleCreate, sampleNowMs } from "../../domain/payment/samples.ts";
import { createAuthorizationRates, type Health } from "../../domain/routing/index.ts";
import { builtInLimits, makeHouse, parseSettings } from "../../domain/settings/index.ts";
import { sampleBuiltIn } from "../../domain/settings/samples.ts";
import { createRouter } from "./router.ts";

const parsed = parseSettings(
  {
    processors: [{ name: "a" }, { name: "dollars", currencies: ["USD"] }, { name: "ruled_out" }],
    merchants: { default: { strategy: { kind: "listed" }, rules: { priority: ["dollars", "a"], others: "never" } } },
  },
  { version: 1, limits: builtInLimits(sampleBuiltIn) },
);
if (parsed.kind !== "parsed") throw new Error(JSON.stringify(parsed.problems));
const house = makeHouse(parsed.settings, undefined);

function routerWith(down: readonly string[]) {
  const passed: string[] = [];
  const router = createRouter({
    settings: () => house,
    health: (processor): Health => (down.includes(processor) ? "down" : "up"),
    passedBy: (processor) => passed.push(processor),
    rates: { test: createAuthorizationRates(), live: createAuthorizationRates() },
    now: () => sampleNowMs,
  });
  const pay = (currency: string) => router.decide({ ...draft(sampleCreate(), sampleNowMs), currency });
  return { router, passed, pay };
}

test("a payment passes a processor by when only its circuit keeps it away: not when currency or rules do", () => {
  const { passed, pay } = routerWith(["dollars", "ruled_out"]);
  expect(required(pay("EUR").candidates[0], "a candidate").processor).toBe("a");
  expect(passed).toEqual([]);
  pay("USD");
  expect(passed).toEqual(["dollars"]);
});

test("nobody is passed by while all are well; and a cascade tells who was", () => {
  const { passed, pay, router } = routerWith([]);
  pay("USD");
  expect(passed).toEqual([]);
  router.passedOver(["a", "dollars"]);
  expect(passed).toEqual(["a", "dollars"]);
});

test("payments in test mode teach nothing about live ones", () => {
  const rates = { test: createAuthorizationRates(), live: createAuthorizationRates() };
  const router = createRouter({ settings: () => house, health: () => "up", passedBy: () => {}, rates, now: () => sampleNowMs });
  const payment = draft(sampleCreate(), sampleNowMs);
  const before = rates.live.estimate("a", "", sampleNowMs);
  const words = { processorReference: "", responseCode: "51", authCode: "", avs: "", cvv: "" };
  for (let count = 0; count < 50; count += 1)
    router.learn({ ...payment, mode: "test" }, "a", { kind: "declined", reason: "do_not_honor", words });
  expect(rates.live.estimate("a", "", sampleNowMs)).toEqual(before);
  expect(rates.test.estimate("a", "", sampleNowMs).rateBps).toBeLessThan(before.rateBps);
});
