import { expect, test } from "vitest";
import { judgeAiling, judgeNoisy, judgeOverload, type Reference, secondsUntilNormal } from "./judge.ts";
import type { CrowdResult, Second } from "./plan.ts";
import { renderHeld } from "./report.ts";

const latency = (p99: number) => ({ p50: 1, p90: 1, p99, p999: p99, max: p99 });

function result(changes: Partial<CrowdResult> = {}): CrowdResult {
  return {
    seconds: 10,
    clients: 10_000,
    requests: 10_000,
    accepted: 10_000,
    acceptedLate: 0,
    sentAway: 0,
    limited: 0,
    others: {},
    gaveUp: 0,
    acceptedMs: latency(100),
    sentAwayMs: latency(4),
    bySecond: [],
    retryAfterMsMean: 0,
    waitingMost: 0,
    cpuShare: 0,
    payments: [],
    complaints: [],
    ...changes,
  };
}

const second = (changes: Partial<Second> = {}): Second => ({ accepted: 500, notAccepted: 0, acceptedMsWorst: 90, ...changes });
const reference: Reference = { peakPerSecond: 1_000, calm: result() };
const witness = (changes: Partial<CrowdResult> = {}) => result({ accepted: 0, sentAway: 1_000, ...changes });
const crowded = (changes: Partial<CrowdResult> = {}) => ({
  factor: 4,
  perSecond: 1_000,
  crowd: result({ sentAway: 1_000, ...changes }),
  witness: witness(),
  after: result({ bySecond: [second()] }),
  switchOperations: 10_000,
  refusedInTimeShare: 0.995,
  residentGrowthBytes: 0,
});
const failures = (overloaded: Parameters<typeof judgeOverload>[1]) =>
  judgeOverload(reference, overloaded)
    .filter(({ isHeld }) => !isHeld)
    .map(({ name }) => name.replace("4x: ", ""));

test("a stack that goes on as before holds every figure", () => {
  expect(failures(crowded())).toEqual([]);
});

test.each([
  ["clients that came, of those who should", { clients: 9_700 }],
  ["goodput, of the peak", { accepted: 8_900 }],
  ["answers that are neither 201 nor 503", { others: { 500: 1 } }],
] as const)("is missed: %s", (name, changes) => {
  const overloaded = crowded(changes);
  expect(failures({ ...overloaded, switchOperations: overloaded.crowd.accepted })).toEqual([name]);
});

test.each([
  ["503s that left the edge within 5 ms", { refusedInTimeShare: 0.98 }],
  ["operations of the switch per call sent away", { switchOperations: 10_021 }],
  ["growth of resident memory, largest process", { residentGrowthBytes: 65 * 1_048_576 }],
  ["p99 of what was accepted", { witness: witness({ acceptedMs: latency(201) }) }],
  ["503 at the client, p99", { witness: witness({ sentAwayMs: latency(6) }) }],
  ["answers that are neither 201 nor 503", { witness: witness({ others: { 500: 1 } }), switchOperations: 10_001 }],
  ["normal again after", { after: result({ bySecond: Array.from({ length: 5 }, () => second({ notAccepted: 1 })) }) }],
] as const)("is missed: %s", (name, changes) => {
  expect(failures({ ...crowded(), ...changes })).toEqual([name]);
});

test("how late a crowd hears its answers tells of its own computer", () => {
  expect(failures(crowded({ sentAwayMs: latency(200), acceptedMs: latency(1_000) }))).toEqual([]);
});

test("whom the witness stands for is accepted, too", () => {
  expect(failures({ ...crowded({ accepted: 8_900 }), witness: witness({ accepted: 100 }), switchOperations: 9_000 })).toEqual([]);
});

test("what the crowd's process takes of the machine makes the stack's share no better", () => {
  const overloaded = { ...crowded({ accepted: 8_900, cpuShare: 1.05 }), switchOperations: 8_900 };
  expect(failures(overloaded)).toEqual(["goodput, of the peak"]);
});

test("normal is from the last bad second on", () => {
  const bad = [second(), second({ acceptedMsWorst: 250 }), second(), second({ notAccepted: 3 }), second(), second()];
  expect(secondsUntilNormal(result({ bySecond: bad }), 200)).toBe(4);
  expect(secondsUntilNormal(result({ bySecond: [second()] }), 200)).toBe(0);
});

test("a noisy merchant must be refused, and the others must not notice", () => {
  const noisy = result({ limited: 9_000 });
  const verdicts = (o: Partial<Parameters<typeof judgeNoisy>[0]>) =>
    judgeNoisy({ alone: result(), beside: result(), noisy, ...o }).map(({ isHeld }) => isHeld);
  expect(verdicts({})).toEqual([true, true, true]);
  expect(verdicts({ beside: result({ accepted: 9_999 }) })).toEqual([false, true, true]);
  expect(verdicts({ beside: result({ acceptedMs: latency(121) }) })).toEqual([true, false, true]);
  expect(verdicts({ noisy: result() })).toEqual([true, true, false]);
});

test("in a short run times are shown, and everything else is judged", () => {
  const held = judgeOverload(reference, { ...crowded({ others: { 500: 2 } }), witness: witness({ acceptedMs: latency(500) }) });
  const lines = renderHeld(held, { isShort: true }).split("\n");
  expect(lines.find((line) => line.includes("p99 of what was accepted"))).toMatch(/^shown /);
  expect(lines.find((line) => line.includes("neither 201 nor 503"))).toMatch(/^FAILED /);
});

test("an ailing processor is noticed within two seconds, and only those who were with it hear of it", () => {
  const bySecond = [second({ notAccepted: 6 }), second({ notAccepted: 4 }), second(), second()];
  const ailing = (changes: Partial<CrowdResult> = {}) =>
    judgeAiling({ name: "down", result: result({ accepted: 9_990, bySecond, ...changes }), lateMax: 5, undecidedShareMax: 0.001 });
  const verdicts = (changes: Partial<CrowdResult> = {}) => ailing(changes).map(({ isHeld }) => isHeld);
  expect(verdicts()).toEqual([true, true, true]);
  expect(verdicts({ accepted: 9_989 })).toEqual([false, true, true]);
  expect(verdicts({ bySecond: [...bySecond, second({ notAccepted: 6 })] })).toEqual([true, false, true]);
  expect(verdicts({ acceptedLate: 6 })).toEqual([true, true, false]);
});
