/**
 * A vitest reporter that counts. The line goes to standard output, and to the file of FLORIN_COUNTS_FILE when a caller adds up several runs.
 * How long each file took goes to the file of FLORIN_DURATIONS_FILE, what failed and why to the file of FLORIN_FAILURES_FILE.
 *
 * A file that could not be loaded, and an error outside of any test, count as one failure each: neither may pass unseen.
 */
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { TestError } from "vitest";
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite } from "vitest/node";
import { type Counts, renderCounts } from "./counts.ts";
import { noteDuration } from "./durations.ts";
import { noteFailure } from "./failures.ts";

export default class CountingReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    if (state === "failed") noteFailure(`${test.module.relativeModuleId} › ${test.fullName}`, reasonOf(errors));
  }

  /** Of its hooks: the tests in it did not run. */
  onTestSuiteResult(suite: TestSuite): void {
    const errors = suite.errors();
    if (errors.length > 0) noteFailure(`${suite.module.relativeModuleId} › ${suite.fullName}`, reasonOf(errors));
  }

  onTestModuleEnd(module: TestModule): void {
    const errors = module.errors();
    if (errors.length > 0) noteFailure(module.relativeModuleId, reasonOf(errors));
    const { setupDuration, collectDuration, duration } = module.diagnostic();
    noteDuration("file", module.relativeModuleId, setupDuration + collectDuration + duration);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    for (const error of unhandledErrors) noteFailure("outside of any test", reasonOf([error]));
    const line = renderCounts(countRun(modules, unhandledErrors.length));
    const file = process.env["FLORIN_COUNTS_FILE"];
    if (file === undefined) console.log(line);
    else writeFileSync(file, `${line}\n`);
  }
}

/** The first error, with the line of ours that it came from. */
function reasonOf(errors: readonly TestError[] = []): string {
  const [first] = errors;
  if (first === undefined) return "no error was given";
  const at = first.stacks?.find(({ file }) => !file.includes("node_modules"));
  const place = at === undefined ? [] : [`at ${relative(process.cwd(), at.file)}:${at.line}`];
  return [...place, first.message, ...(first.diff === undefined ? [] : [first.diff])].join("\n");
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
