/**
 * Questions: of how many spellings of card numbers is one missed, how many harmless ids are taken for a number, and what does the search cost?
 *
 * `node detector/bench/detector.bench.ts [--variants 100000] [--ids 10000000] [--seed 1]`. One process, one thread. Targets: recall of 99.9 %, at
 * most one false alarm in a million ids, the kinds of ids in equal parts. A bare span id is not among them: one in two thousand consists of digits
 * alone, and of these one in some forty is a card number by every rule there is.
 */
import { parseArgs } from "node:util";
import { findCardNumbers, holdsCardNumber } from "../src/index.ts";
import { bareSpanId, harmless } from "../src/testing/harmless.ts";
import { madeUpNumber } from "../src/testing/made-up-numbers.ts";
import { type Seeded, seeded } from "../src/testing/seeded.ts";
import { variantOf } from "../src/testing/variants.ts";

const { values } = parseArgs({
  options: {
    variants: { type: "string", default: "100000" },
    ids: { type: "string", default: "10000000" },
    seed: { type: "string", default: "1" },
  },
});
const random = seeded(Number(values.seed));

measureRecall(Number(values.variants));
measureAlarms(Number(values.ids));
measureCost();

function measureRecall(variants: number): void {
  const missed = new Map<string, number>();
  for (let count = 0; count < variants; count++) {
    const { bytes, name } = variantOf(madeUpNumber(random), random);
    if (findCardNumbers(bytes).findings.length === 0) missed.set(name, (missed.get(name) ?? 0) + 1);
  }
  const total = [...missed.values()].reduce((sum, count) => sum + count, 0);
  console.log(`variants             ${variants}, missed ${total}: recall ${(100 * (1 - total / variants)).toFixed(3)} %`);
  for (const [name, count] of [...missed].slice(0, 20)) console.log(`  missed ${count} × ${name}`);
}

function measureAlarms(ids: number): void {
  const kinds = Object.entries(harmless);
  const each = Math.ceil(ids / kinds.length);
  let total = 0;
  for (const [kind, make] of kinds) {
    const alarms = countAlarms(each, make);
    total += alarms;
    if (alarms > 0) console.log(`  ${kind}: ${alarms} of ${each}`);
  }
  const count = each * kinds.length;
  console.log(`harmless ids         ${count}, false alarms ${total}: ${((total / count) * 1e6).toFixed(2)} per million`);
  console.log(`bare span ids        ${((countAlarms(each, bareSpanId) / each) * 1e6).toFixed(1)} per million`);
}

function countAlarms(count: number, make: (random: Seeded) => string): number {
  let alarms = 0;
  for (let index = 0; index < count; index++) if (holdsCardNumber(make(random))) alarms += 1;
  return alarms;
}

function measureCost(): void {
  const ids = Object.values(harmless);
  const line = (): string =>
    `${JSON.stringify({ level: "info", time: "2026-11-21T05:37:56.695Z", request_id: harmless["own id"]?.(random), trace: harmless["traceparent"]?.(random), amount: random.integer(1e6), msg: "payment authorized" })}\n`;
  const size = 4_194_304;
  const inputs: Readonly<Record<string, () => string | Buffer>> = {
    "log lines": () => Array.from({ length: 20_000 }, line).join(""),
    "ids, one a line": () => Array.from({ length: 100_000 }, () => random.pick(ids)(random)).join("\n"),
    "random bytes": () => random.bytes(size),
    "base64 of them": () => random.bytes(size).toString("base64"),
    "hex of them": () => random.bytes(size / 2).toString("hex"),
  };
  for (const [name, make] of Object.entries(inputs)) {
    const bytes = Buffer.from(make() as string);
    findCardNumbers(bytes);
    const startedAt = process.cpuUsage();
    findCardNumbers(bytes);
    const { user, system } = process.cpuUsage(startedAt);
    console.log(`${name.padEnd(20)} ${(bytes.length / (user + system)).toFixed(0)} MB/s`);
  }
}
