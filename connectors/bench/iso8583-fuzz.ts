/**
 * Question: is there an input that crashes the ISO 8583 codec or makes it slow?
 *
 * `node connectors/bench/iso8583-fuzz.ts [inputs] [seed]`, 5,000,000 inputs when nothing is said. The first crash ends it and prints its
 * input. The slowest input includes whatever else the machine was doing, a collection of garbage above all.
 */
import { randomInt } from "node:crypto";
import { FuzzCrash, fuzz } from "../src/iso8583/fuzz.ts";

const inputs = Number(process.argv[2] ?? 5_000_000);
const seed = Number(process.argv[3] ?? randomInt(2 ** 32));
console.log(`seed ${seed}, ${inputs.toLocaleString("en")} inputs`);
const startedAtMs = performance.now();
try {
  const report = fuzz({ seed, inputs });
  const seconds = (performance.now() - startedAtMs) / 1_000;
  console.log(
    `${seconds.toFixed(1)} s, ${Math.round(inputs / seconds).toLocaleString("en")} inputs/s, 0 crashes, slowest ${report.slowestUs} µs`,
  );
  console.log(`decoded ${report.decoded.toLocaleString("en")}, frames cut ${report.frames.toLocaleString("en")}`);
  for (const [reason, count] of Object.entries(report.refused)) console.log(`refused, ${reason}: ${count.toLocaleString("en")}`);
} catch (thrown) {
  if (!(thrown instanceof FuzzCrash)) throw thrown;
  console.error("crash", thrown.message, thrown.cause);
  process.exitCode = 1;
}
