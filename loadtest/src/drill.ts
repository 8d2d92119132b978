/**
 * `npm run drill`: a whole stack under load, broken on a schedule, and after each fault the proof that nothing was lost, doubled or left
 * unbalanced. Linux only. Ends with 0 when every figure holds, with 1 otherwise; ends what it started on Ctrl-C too.
 */
import { DrillStack } from "./drill/drill-stack.ts";
import { faults } from "./drill/faults/fault-table.ts";
import { type DrillOptions, drillUsage, readDrillOptions } from "./drill/options.ts";
import { seededRandom } from "./drill/random.ts";
import { judge, renderHead, renderTable } from "./drill/report.ts";
import { settle } from "./drill/settle.ts";
import { type Struck, strikeFault } from "./drill/strike-fault.ts";
import { runOverload } from "./overload/overload.ts";
import { makeTokens } from "./stack/tokens.ts";

const tokensCount = 40;
/** In the short drill faults settle together, because every settling waits for leases of 30 s; payments of one live through the next. */
const settledTogether = { short: Number.POSITIVE_INFINITY, full: 1 } as const;

const interrupted = new Error("interrupted");

async function main(): Promise<number> {
  const [scenario, ...words] = process.argv.slice(2);
  if (scenario === "overload") return runOverload(words);
  const options = readDrillOptions(process.argv.slice(2), { faults, seed: Date.now() % 1_000_000 });
  if (options.isHelp || options.isList) {
    console.log(options.isHelp ? drillUsage : renderTable(options.faults));
    return 0;
  }
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => abort.abort(interrupted));
  const stack = await DrillStack.start({ random: seededRandom(options.seed), notice: () => undefined, signal: abort.signal });
  let isRight: boolean | undefined;
  try {
    void stack.failed.then((reason) => abort.abort(new Error(`a process ended although no fault meant it to: ${reason}`)));
    isRight = await drill(stack, options, abort.signal);
  } finally {
    // Whoever interrupts a drill has seen enough.
    const isInterrupted = isRight === undefined && abort.signal.reason === interrupted;
    const keepsData = options.keepsData || (isRight !== true && !isInterrupted);
    for (const complaint of await stack.stop({ keepsData })) console.error(`florin: ${complaint}`);
    if (keepsData) console.error(`florin: logs and data are kept in ${stack.directory}`);
  }
  return isRight === true ? 0 : 1;
}

async function drill(stack: DrillStack, options: DrillOptions, signal: AbortSignal): Promise<boolean> {
  const { isShort, seed } = options;
  const drillId = `dr${Date.now().toString(36)}`;
  const tokens = await makeTokens(stack.up, tokensCount);
  console.log(`seed ${seed}; ${options.faults.length} faults\n${renderHead()}`);
  const size = isShort ? settledTogether.short : settledTogether.full;
  let [wrong, skipped, left, isUp] = [0, 0, options.faults.length, true];
  for (let start = 0; start < options.faults.length && isUp; start += size) {
    const startedAtMs = Date.now();
    const struck: Struck[] = [];
    for (const [index, fault] of options.faults.slice(start, start + size).entries()) {
      console.error(`${new Date().toISOString().slice(11, 19)} ${fault.name}`);
      const name = `${drillId}-${start + index}`;
      const one = await strikeFault({ stack, fault, name, tokens, seed: seed + 100 * faults.indexOf(fault), isShort, signal });
      struck.push(one);
      left -= 1;
      // What is not back after a minute needs somebody who looks at it as it is; more blows would only hide what happened.
      isUp = one.recoveriesMs.every((recoveryMs) => recoveryMs !== undefined);
      if (!isUp) break;
    }
    for (const report of await settle({ stack, struck, drillId, startedAtMs, signal })) {
      const judged = judge(report, { isShort });
      console.log(judged.lines.join("\n"));
      wrong += judged.isRight ? 0 : 1;
      skipped += judged.isSkipped ? 1 : 0;
    }
  }
  const survived = options.faults.length - left - wrong - skipped;
  if (left > 0) console.log(`the stack did not come back: ${left} faults were not struck`);
  console.log(`${survived} faults survived, ${wrong} not, ${skipped} skipped (seed ${seed})`);
  return wrong === 0 && left === 0;
}

// Whoever listened is gone: the drill ends as it would have.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
try {
  process.exitCode = await main();
} catch (thrown) {
  console.error(`florin: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 1;
}
process.exit();
