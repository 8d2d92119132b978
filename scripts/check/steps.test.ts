import { constants, getPriority } from "node:os";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { onePassed } from "./counts.ts";
import { commandStep, runCommand, runSteps, type Step } from "./steps.ts";

let printed: string[];
beforeEach(() => {
  printed = [];
  // These steps are nobody's.
  for (const file of ["FLORIN_DURATIONS_FILE", "FLORIN_FAILURES_FILE"]) vi.stubEnv(file, "");
  for (const name of ["log", "error"] as const)
    vi.spyOn(console, name).mockImplementation((text: unknown) => void printed.push(String(text)));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const passing = (title: string, work: () => unknown = () => undefined): Step => ({
  title,
  async run() {
    await work();
    return onePassed;
  },
});
const node = (title: string, script: string): Step => commandStep(title, process.execPath, ["-e", script]);

test("steps follow each other, and each runs whatever happened to the others", async () => {
  const order: string[] = [];
  const failing = passing("fails", () => Promise.reject(new Error("no such tool")));
  const total = await runSteps([passing("one", () => order.push("one")), failing, passing("two", () => order.push("two"))]);
  expect([total, order]).toEqual([{ passed: 2, failed: 1, skipped: 0 }, ["one", "two"]]);
  expect(printed).toContain("no such tool");
  expect(printed.at(-2)).toMatch(/^\nok {5}one \(\d+\.\d s\)\nFAILED fails \(\d+\.\d s\)\nok {5}two \(\d+\.\d s\)\n$/);
  expect(printed.at(-1)).toBe("2 passed, 1 failed, 0 skipped");
});

test("steps of a list of their own run at once, and all of them count", async () => {
  const begun = { left: Promise.withResolvers<void>(), right: Promise.withResolvers<void>() };
  // Neither ends before the other has begun.
  const after = (own: keyof typeof begun, other: keyof typeof begun) => () => {
    begun[own].resolve();
    return begun[other].promise;
  };
  const [left, right] = [passing("left", after("left", "right")), passing("right", after("right", "left"))];
  expect(await runSteps([[left, right, node("breaks", "process.exit(3)")], passing("after")])).toEqual({
    passed: 3,
    failed: 1,
    skipped: 0,
  });
  expect(printed.at(-2)).toMatch(/ok {5}left .*\nok {5}right .*\nFAILED breaks .*\nok {5}after /);
});

test("what a step beside the first one prints is shown whole, under its title", async () => {
  const talks = node("talks", "console.log('to out'); console.error('to err'); setTimeout(() => console.log('last'), 50)");
  await runSteps([[passing("first"), talks]]);
  expect(printed).toContain("\n── talks\nto out\nto err\nlast\n");
});

test("what failed is told once more before the closing lines, wherever it stood above", async () => {
  await runSteps([passing("fails", () => Promise.reject(new Error("no such tool"))), node("breaks", "process.exit(3)"), passing("after")]);
  const expected = ["FAILED fails", "  no such tool", "FAILED breaks", "  what it printed stands above"];
  expect(printed.at(-3)).toBe(`\n── what failed\n${expected.join("\n")}`);
});

test("a patient command and what it starts come after others", async () => {
  // Whoever runs the tests may be more patient already.
  const expected = Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL);
  const child = `process.exit(require('os').getPriority() === ${expected} ? 0 : 1)`;
  const parent = `setTimeout(() => require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}]).on('exit', process.exit), 50)`;
  expect(await runCommand(process.execPath, ["-e", parent], { isPatient: true })).toBe(0);
});
