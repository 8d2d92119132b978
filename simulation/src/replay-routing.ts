/**
 * `npm run routing:replay -- [--seed 1] [--payments 50000] [--plans listed:1,value:1,value:3,cost:3]`: replays a generated day of payments by
 * several plans and prints what each approves and costs. A plan is a strategy and its attempts (1: no cascade, 3: cascade); the first is
 * what the others are measured against.
 *
 * The seed makes the day and the world: which cards are refused, how the ways to the issuers do, when an acquirer is out of order.
 *
 * `--write day.jsonl` keeps the stream, `--from day.jsonl` replays a kept one. Ends with 1 when a plan that goes by approvals (rate,
 * value) recovers less than 2 % of what the first plan lost, or one by cost finds the cheapest eligible processor for less than 99 %.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { comparePlans, missedGates, tableOf } from "./routing/compare.ts";
import { houseOf } from "./routing/houses.ts";
import { parsePlans } from "./routing/plans.ts";
import { readStream, writeStream } from "./routing/recorded-stream.ts";
import { generateStream } from "./routing/stream.ts";

const options = {
  seed: { type: "string", default: "1" },
  payments: { type: "string", default: "50000" },
  plans: { type: "string", default: "listed:1,value:1,value:3,cost:3" },
  from: { type: "string" },
  write: { type: "string" },
} as const;

const { values } = parseArgs({ options });
const plans = parsePlans(values.plans);
const seed = wholeNumber("seed", values.seed);
const house = houseOf(seed);
const stream =
  values.from === undefined
    ? generateStream({ seed, payments: wholeNumber("payments", values.payments), issuers: house.issuers })
    : readStream(readFileSync(values.from, "utf8"));
if (values.write !== undefined) writeFileSync(values.write, writeStream(stream));

const compared = comparePlans(stream, house, plans);
print(`seed ${seed}\n${tableOf(compared)}`);
for (const missed of missedGates(compared)) print(missed);
process.exitCode = missedGates(compared).length === 0 ? 0 : 1;

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new Error(`--${name} is a whole number`);
  return Number(text);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
