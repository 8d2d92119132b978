import { expect, test } from "vitest";
import type { Fault } from "./faults/fault.ts";
import type { Load } from "./load/load.ts";
import { judge, renderHead } from "./report.ts";
import type { FaultReport } from "./settle.ts";
import type { Struck } from "./strike-fault.ts";

const fault: Fault = {
  name: "postgres_kill",
  anchor: "C2",
  what: "",
  load: "mixed",
  rounds: { short: 1, full: 2 },
  recoveryMsMax: 2_000,
  refuses: false,
  strike: async () => undefined,
};
const none = { lost: 0, doubled: 0, unbalanced: 0, open: 0 };

function report(change: Partial<FaultReport> = {}, struck: Partial<Struck> = {}): FaultReport {
  const whole: Struck = {
    fault,
    load: {} as Load,
    rounds: 2,
    recoveriesMs: [400, 900],
    wrongSuccesses: 0,
    failure: undefined,
    isSkipped: false,
    ...struck,
  };
  return { struck: whole, operations: 120, requests: 180, unknowns: 9, resolved: 9, differences: none, examples: [], ...change };
}

test("a fault that was survived is one line under its columns", () => {
  const { isRight, lines } = judge(report(), { isShort: false });
  expect([isRight, lines.length]).toEqual([true, 1]);
  expect(lines[0]?.split(/ {2,}/)).toEqual(["postgres_kill", "C2", "2", "120", "180", "9", "9", "0", "0", "0", "0", "0.9 s (<= 2.0 s)"]);
  expect(renderHead().length).toBe(lines[0]?.length);
});

test.each<[string, FaultReport, RegExp]>([
  ["something lost", report({ differences: { ...none, lost: 1 }, examples: ["a: pay_1 is not in the log"] }), /pay_1 is not in the log/],
  ["something doubled", report({ differences: { ...none, doubled: 1 } }), /postgres_kill/],
  ["something unbalanced", report({ differences: { ...none, unbalanced: 1 } }), /postgres_kill/],
  ["something open", report({ differences: { ...none, open: 1 } }), /postgres_kill/],
  ["a success that could not be", report({}, { wrongSuccesses: 2 }), /2 new successes while nothing could be committed/],
  ["a fault that could not be made", report({}, { failure: "the switch never came to after_send" }), /never came/],
  ["no success any more", report({}, { recoveriesMs: [400, undefined] }), /no payment succeeded after/],
  ["a recovery that took too long", report({}, { recoveriesMs: [400, 2_500] }), /1 of 2 recoveries took longer than 2.0 s/],
])("%s fails the drill and is told", (_name, wrong, words) => {
  const { isRight, lines } = judge(wrong, { isShort: false });
  expect(isRight).toBe(false);
  expect(lines.join("\n")).toMatch(words);
});

test("the short drill shows times and does not judge them", () => {
  expect(judge(report({}, { recoveriesMs: [400, 2_500] }), { isShort: true }).isRight).toBe(true);
  expect(judge(report({}, { recoveriesMs: [undefined] }), { isShort: true }).isRight).toBe(false);
});

test("what this machine does not allow is told and is no failure", () => {
  const { isRight, lines } = judge(report({}, { isSkipped: true, failure: "no right to mount a small file system" }), { isShort: false });
  expect([isRight, lines.join()]).toEqual([true, expect.stringContaining("skipped: no right to mount")]);
});
