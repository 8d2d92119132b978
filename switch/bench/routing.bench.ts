/**
 * Question: what does it cost to choose the way of a payment? Gate: routing and breakers together at most 5 CPU-µs per authorization.
 *
 *   node switch/bench/routing.bench.ts [--json]
 *
 * Four processors, a merchant's rules of a condition and a split, 4,096 different payments, rates learned from as many answers. The ruler is
 * `JSON.parse` of a small payment: a machine or a Node that is slower at everything moves both. CPU of this process, user and system; each figure
 * is the median of rounds, after a warm-up.
 */
import { makeId, required } from "@florin/kernel";
import { createRandomPool } from "@florin/runtime/random";
import { createAuthorizationRates } from "../src/domain/routing/authorization-rates.ts";
import { storeDecision, strategyKinds } from "../src/domain/routing/decision.ts";
import { makeProcessors, type RouteContext, route } from "../src/domain/routing/route.ts";
import { parseRules } from "../src/domain/routing/rules/parse-rules.ts";
import { sampleContext, sampleNowMs, sampleProfile, sampleRequest } from "../src/domain/routing/samples.ts";

const gateMicros = 5;
const rounds = 9;
const perRound = 20_000;
const warmUp = 60_000;

const random = createRandomPool();
const processors = makeProcessors(["alpha", "beta", "gamma", "delta"].map((name) => ({ ...sampleProfile, name })));
const parsed = parseRules(
  {
    version: 1,
    rules: {
      when: { field: "currency", in: ["EUR", "USD"] },
      use: {
        split: [
          { share: 70, to: { choose: ["alpha", "beta", "gamma"] } },
          { share: 30, to: { priority: ["delta", "alpha"] } },
        ],
      },
      otherwise: { choose: ["alpha"] },
    },
  },
  new Set(processors.map(({ name }) => name)),
);
if (parsed.kind === "invalid") throw new Error("the bench's rules are read");
const { rules } = parsed;
const rates = createAuthorizationRates();
const requests = Array.from({ length: 4_096 }, (_, index) =>
  sampleRequest({
    paymentId: makeId("payment", sampleNowMs + index, random(10)),
    amountMinor: BigInt(100 + index * 7),
    network: index % 3 === 0 ? "mastercard" : "visa",
    funding: index % 2 === 0 ? "debit" : "credit",
    cardCountry: index % 5 === 0 ? "US" : "DE",
  }),
);
for (const [index] of requests.entries())
  rates.record(
    { processor: required(processors[index % 4], "one").name, segment: "visa/debit/domestic", isApproved: index % 7 > 0 },
    sampleNowMs,
  );

const contextFor = (index: number, kind: RouteContext["strategy"]["kind"]): RouteContext => ({
  ...sampleContext({ processors, rules, rates, strategy: { kind, exploreBps: 200 } }),
  request: required(requests[index % requests.length], "a request"),
});
const contexts = new Map(strategyKinds.map((kind) => [kind, requests.map((_, index) => contextFor(index, kind))]));
const payment = JSON.stringify({ amount: 5000, currency: "EUR", merchant_reference: "order-1", token: "tok_x", metadata: { a: "b" } });

/** Kept, so that no result is optimized away. */
let kept = 0;

function microsOf(once: (index: number) => number): number {
  for (let index = 0; index < warmUp; index++) kept += once(index);
  const figures = Array.from({ length: rounds }, () => {
    const before = process.cpuUsage();
    for (let index = 0; index < perRound; index++) kept += once(index);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / perRound;
  });
  return figures.sort((left, right) => left - right)[Math.floor(rounds / 2)] ?? Number.NaN;
}

const ruler = microsOf(() => (JSON.parse(payment) as { amount: number }).amount);
const row = (what: string, micros: number) => ({
  what,
  cpu_us: Number(micros.toFixed(2)),
  ratio_to_ruler: Number((micros / ruler).toFixed(2)),
});
const rows = [row("ruler: JSON.parse of a payment", ruler)];
let worst = 0;
for (const [kind, all] of contexts) {
  const at = (index: number): RouteContext => required(all[index % all.length], "a context");
  rows.push(
    row(
      `decide by ${kind}`,
      microsOf((index) => route(at(index)).candidates.length),
    ),
  );
  const stored = microsOf((index) => storeDecision(route(at(index))).length);
  rows.push(row(`decide by ${kind}, and the line for the log`, stored));
  worst = Math.max(worst, stored);
}
const learning = microsOf((index) => {
  rates.record({ processor: "alpha", segment: "visa/debit/domestic", isApproved: index % 7 > 0 }, sampleNowMs + index);
  return 1;
});
rows.push(row("learn from an answer", learning));
if (process.argv.includes("--json")) console.log(JSON.stringify(rows));
else console.table(rows);
const sum = worst + learning;
console.log(
  `dearest strategy with its line and its learning: ${sum.toFixed(2)} CPU-µs, gate ${gateMicros} (breakers included): ${sum <= gateMicros ? "met" : "MISSED"}`,
);
process.exitCode = kept > 0 && sum <= gateMicros ? 0 : 1;
