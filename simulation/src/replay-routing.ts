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
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { comparePlans, missedGates, tableOf } from "./routing/compare.ts";
import { houseOf } from "./routing/houses.ts";
import { parsePlans } from "./routing/plans.ts";
import { paymentsMax, readStream, writeStream } from "./routing/recorded-stream.ts";
import { generateStream } from "./routing/stream.ts";

const options = {
  seed: { type: "string", default: "1" },
  payments: { type: "string", default: "50000" },
  plans: { type: "string", default: "listed:1,value:1,value:3,cost:3" },
  from: { type: "string" },
  write: { type: "string" },
} as const;

const usage = `npm run routing:replay -- [--seed 1] [--payments 50000] [--plans listed:1,value:1,value:3,cost:3] [--from day.jsonl] [--write day.jsonl]

Replays a day of payments by several plans (strategy:attempts) and prints what each approves and costs. The first plan is what the others are
measured against. --write keeps the stream, --from replays a kept one. Strategies: listed, cost, rate, value; attempts: 1 to 3.`;

/** A wrong word of whoever calls, to be told without a stack. */
class WrongCall extends Error {}

try {
  process.exitCode = run();
} catch (thrown) {
  if (!(thrown instanceof WrongCall)) throw thrown;
  process.stderr.write(`${thrown.message}\n`);
  process.exitCode = 2;
}

function run(): number {
  const { values } = told(() => parseArgs({ options: { ...options, help: { type: "boolean", short: "h" } } }));
  if (values.help === true) {
    print(usage);
    return 0;
  }
  const plans = told(() => parsePlans(values.plans));
  const seed = wholeNumber("seed", values.seed, 0, 9_999_999);
  const house = houseOf(seed);
  const { from, write } = values;
  const stream =
    from === undefined
      ? generateStream({ seed, payments: wholeNumber("payments", values.payments, 1, paymentsMax), issuers: house.issuers })
      : told(() => readStream(readFileSync(fromCaller(from), "utf8")));
  if (write !== undefined) told(() => writeFileSync(fromCaller(write), writeStream(stream)));
  const compared = comparePlans(stream, house, plans);
  print(`seed ${seed}\n${tableOf(compared)}`);
  const missed = missedGates(compared);
  for (const one of missed) print(one);
  return missed.length === 0 ? 0 : 1;
}

/** As the caller means it: npm changes to the folder of package.json. */
function fromCaller(path: string): string {
  return resolve(process.env["INIT_CWD"] ?? process.cwd(), path);
}

function told<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw new WrongCall(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  if (!/^\d{1,7}$/.test(text) || Number(text) < min || Number(text) > max)
    throw new WrongCall(`--${name} is a whole number from ${min} to ${max}`);
  return Number(text);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
