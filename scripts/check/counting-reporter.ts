/**
 * A vitest reporter that counts. The line goes to standard output, and to the file of FLORIN_COUNTS_FILE when a caller adds up several runs.
 * How long each file took goes to the file of FLORIN_DURATIONS_FILE.
 *
 * A file that could not be loaded, and an error outside of any test, count as one failure each: neither may pass unseen.
 */
import { writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";
import { type Counts, renderCounts } from "./counts.ts";
import { noteDuration } from "./durations.ts";

export default class CountingReporter implements Reporter {
  onTestModuleEnd(module: TestModule): void {
    const { setupDuration, collectDuration, duration } = module.diagnostic();
    noteDuration("file", module.relativeModuleId, setupDuration + collectDuration + duration);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const line = renderCounts(countRun(modules, unhandledErrors.length));
    const file = process.env["FLORIN_COUNTS_FILE"];
    if (file === undefined) console.log(line);
    else writeFileSync(file, `${line}\n`);
  }
}

function countRun(modules: readonly TestModule[], unhandledErrors: number): Counts {
  let passed = 0;
  let failed = unhandledErrors;
  let skipped = 0;
  for (const module of modules) {
    let failedHere = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "passed") passed++;
      else if (state === "failed") failedHere++;
      else skipped++;
    }
    failed += failedHere === 0 && module.state() === "failed" ? 1 : failedHere;
  }
  return { passed, failed, skipped };
}
