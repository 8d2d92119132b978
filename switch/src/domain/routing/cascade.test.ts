import { type DeclineReason, declineReasons } from "@florin/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Outcome } from "../payment/index.ts";
import {
  type AttemptNumber,
  attemptsMax,
  cascadeTable,
  classOf,
  countsTowardsRate,
  declineClasses,
  nextStep,
  type OutcomeClass,
} from "./cascade.ts";
import type { CardHistory } from "./network-guardian.ts";

const words = { processorReference: "", responseCode: "", authCode: "", avs: "", cvv: "" };
const declined = (reason: DeclineReason): Outcome => ({ kind: "declined", words, reason });
const approved: Outcome = { kind: "approved", words, isFinal: true };
const notSent: Outcome = { kind: "not_sent", cause: "connection_refused" };
const unknown: Outcome = { kind: "unknown", cause: "timeout" };
const clean: CardHistory = { declinedInDay: 1, declinedIn30Days: 1, hasCategoryOne: false };

const ask = (changes: Partial<Parameters<typeof nextStep>[0]>) =>
  nextStep({
    outcome: declined("do_not_honor"),
    attempt: 1,
    ranked: ["a", "b", "c", "d"],
    tried: new Set(["a"]),
    isUp: () => true,
    cardHistory: clean,
    ...changes,
  });

/** The whole table by hand, as the issue of routing says it. */
const expected: Readonly<Record<OutcomeClass, readonly [string, string, string]>> = {
  approved: ["approved", "approved", "approved"],
  soft_decline: ["next", "next", "attempts_used"],
  hard_decline: ["hard_decline", "hard_decline", "hard_decline"],
  network_stop: ["network_stop", "network_stop", "network_stop"],
  not_sent: ["next", "next", "attempts_used"],
  our_fault: ["our_fault", "our_fault", "our_fault"],
  unknown: ["unknown_outcome", "unknown_outcome", "unknown_outcome"],
};

test("only a soft decline and a payment that was not sent go on, twice at most", () => {
  const table = Object.fromEntries(Object.entries(cascadeTable).map(([name, row]) => [name, Object.values(row)]));
  expect(table).toEqual(expected);
  expect(attemptsMax).toBe(3);
});

test("an answer goes to the next candidate that was not tried and is up", () => {
  expect(ask({})).toEqual({ kind: "next", processor: "b", passedOver: [] });
  expect(ask({ outcome: notSent, attempt: 2, tried: new Set(["a", "b"]) })).toEqual({ kind: "next", processor: "c", passedOver: [] });
  expect(ask({ isUp: (one) => one === "d" })).toEqual({ kind: "next", processor: "d", passedOver: ["b", "c"] });
  expect(ask({ ranked: ["a"] })).toEqual({ kind: "stop", reason: "no_candidate", passedOver: [] });
  expect(ask({ isUp: () => false })).toEqual({ kind: "stop", reason: "no_candidate", passedOver: ["b", "c", "d"] });
});

test("the guardian speaks before anything is sent", () => {
  expect(ask({ cardHistory: { ...clean, declinedInDay: 10 } })).toEqual({
    kind: "stop",
    reason: "network_declines_per_day",
    passedOver: [],
  });
  expect(ask({ outcome: notSent, cardHistory: { ...clean, hasCategoryOne: true } })).toEqual({
    kind: "stop",
    reason: "network_category_1",
    passedOver: [],
  });
});

const reasons = Object.keys(declineReasons) as DeclineReason[];

test("no decline that the house tells merchants not to retry is tried elsewhere", () => {
  const never = reasons.filter((reason) => declineReasons[reason].declineCode === "do_not_retry");
  expect(never.filter((reason) => declineClasses[reason] === "soft_decline")).toEqual([]);
  expect(reasons.filter((reason) => declineClasses[reason] === "soft_decline")).toEqual([
    "generic_decline",
    "do_not_honor",
    "try_again_later",
    "processing_error",
    "issuer_unavailable",
    "processor_unreachable",
  ]);
});

test("only approvals and declines that another way may turn say something about a processor", () => {
  expect(
    [approved, declined("do_not_honor"), declined("stolen_card"), declined("expired_card"), notSent, unknown].map((one) =>
      countsTowardsRate(classOf(one)),
    ),
  ).toEqual([true, true, false, false, false, false]);
});

test("whatever processors answer: at most three attempts, none twice at one processor, none after a final or unknown outcome", () => {
  const outcome = fc.oneof(
    fc.constantFrom(approved, notSent, notSent, unknown),
    fc.constantFrom(...reasons).map(declined),
    fc.constant(declined("do_not_honor")),
  );
  const lengths = new Set<number>();
  fc.assert(
    fc.property(
      fc.array(outcome, { minLength: 3, maxLength: 3 }),
      fc.subarray(["a", "b", "c", "d"], { minLength: 1 }),
      (answers, ranked) => {
        const sent: string[] = [];
        let step: ReturnType<typeof nextStep> = { kind: "next", processor: ranked[0] as string, passedOver: [] };
        while (step.kind === "next") {
          sent.push(step.processor);
          step = ask({ ranked, outcome: answers[sent.length - 1] as Outcome, attempt: sent.length as AttemptNumber, tried: new Set(sent) });
        }
        const mayGoOn = (one: Outcome | undefined) =>
          one?.kind === "not_sent" || (one?.kind === "declined" && declineReasons[one.reason].declineCode === "retry_allowed");
        expect(sent.length).toBeLessThanOrEqual(3);
        expect(new Set(sent).size).toBe(sent.length);
        expect(answers.slice(0, sent.length - 1).every(mayGoOn)).toBe(true);
        lengths.add(sent.length);
      },
    ),
  );
  expect([...lengths].sort()).toEqual([1, 2, 3]);
});
