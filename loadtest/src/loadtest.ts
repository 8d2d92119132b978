/**
 * `npm run loadtest -- <scenario>`: drives the running stack with k6, then verifies that everything the merchants were told is so.
 *
 * Ends with 0 when every book agrees and k6's thresholds held, with 1 otherwise.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { findK6 } from "./k6/k6-binary.ts";
import { readLoadtestOptions } from "./k6/options.ts";
import { runK6 } from "./k6/run-k6.ts";
import { makeTokens } from "./stack/tokens.ts";
import { readUpFile } from "./stack/up-file.ts";
import { readAnswers } from "./verify/answers.ts";
import { printVerdict, verifyRun } from "./verify/verify.ts";

/** Clocks of one machine differ by nothing, but an id is made a moment before its request is counted. */
const clockSlackMs = 5_000;
const thresholdMissed = 99;

async function main(): Promise<number> {
  const options = readLoadtestOptions(process.argv.slice(2), process.env);
  const binary = findK6(process.env);
  const up = readUpFile(options.directory);
  const runId = `lt-${options.scenario}-${Date.now().toString(36)}`;
  const folder = join(options.directory, "loadtest");
  mkdirSync(folder, { recursive: true });
  const linesFile = join(folder, `${runId}.txt`);
  const tokens = await makeTokens(up, options.tokens);
  const startedAtMs = Date.now() - clockSlackMs;
  const code = await runK6({ binary, up, options, runId, tokens, linesFile });
  if (code !== 0 && code !== thresholdMissed) throw new Error(`k6 ended with ${code}`);
  const answers = await readAnswers(linesFile);
  const verdict = await verifyRun(up, { runId, startedAtMs, endedAtMs: Date.now() + clockSlackMs }, answers);
  printVerdict(answers, verdict);
  if (code === thresholdMissed) console.log("a threshold of the scenario was missed");
  if (verdict.isRight) rmSync(linesFile, { force: true });
  else console.log(`what the merchants were told is kept in ${linesFile}`);
  return verdict.isRight && code === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (thrown) {
  console.error(`florin: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 1;
}
