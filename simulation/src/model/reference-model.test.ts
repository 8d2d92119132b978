import { describe, expect, test } from "vitest";
import type { Effect, History, LogRow, Sums, Told } from "./history.ts";
import { check } from "./reference-model.ts";

const zero = { authorized: 0n, captured: 0n, refunded: 0n, released: 0n };
let position = 0n;

function row(changes: Partial<LogRow>): LogRow {
  position += 1n;
  return {
    paymentId: "pay_1",
    merchantId: "mer_1",
    sequence: 1,
    position,
    type: "authorization_requested",
    operationId: "att_1",
    amount: 100n,
    currency: "EUR",
    label: "",
    totals: zero,
    openOperations: [],
    resolvesByMs: 0,
    follows: "",
    undoes: "",
    uniqueReference: "",
    isUnmarked: false,
    ...changes,
  };
}

const effect = (changes: Partial<Effect>): Effect => ({
  kind: "authorize",
  reference: "att_1",
  amount: 100n,
  isApproved: true,
  state: "final",
  isReversed: false,
  ...changes,
});

const told = (changes: Partial<Told>): Told => ({
  label: "key-1",
  body: 0,
  kind: "authorize",
  isRefused: false,
  code: "",
  paymentId: "pay_1",
  version: 2,
  operationId: "att_1",
  ...changes,
});

const held = { ...zero, authorized: 100n };
const intent = row({ label: "key-1" });
const approval = row({ sequence: 2, type: "payment_authorized", totals: held });
const captureIntent = row({ sequence: 3, type: "capture_requested", operationId: "cap_1", amount: 60n, label: "key-2", totals: held });
const captured = row({ sequence: 4, type: "payment_captured", operationId: "cap_1", amount: 60n, totals: { ...held, captured: 60n } });
const decline = row({ sequence: 2, type: "authorization_declined" });
const sums = (changes: Partial<Sums>): Sums => ({ debitsPosted: 0n, creditsPosted: 0n, debitsPending: 0n, creditsPending: 0n, ...changes });

/** An authorization of 100 and a capture of 60, as all four witnesses saw it. */
const good: History = {
  log: [intent, approval, captureIntent, captured],
  effects: [effect({}), effect({ kind: "capture", reference: "cap_1", amount: 60n })],
  told: [told({}), told({ label: "key-2", kind: "capture", version: 4, operationId: "cap_1" })],
  awaitsFile: false,
  payables: new Map([["mer_1 EUR", sums({ creditsPending: 100n, debitsPending: 60n, creditsPosted: 60n })]]),
  receivables: new Map([["EUR", sums({ debitsPending: 100n, creditsPending: 60n, debitsPosted: 60n })]]),
};
const nothingBooked = { payables: new Map(), receivables: new Map() };
const declined: History = { ...good, ...nothingBooked, log: [intent, decline], effects: [effect({ isApproved: false })], told: [] };

test("a run in which every witness says the same has no violation", () => {
  expect(check(good)).toEqual([]);
  expect(check(declined)).toEqual([]);
});

describe("it sees", () => {
  const cases: readonly (readonly [string, RegExp, History])[] = [
    [
      "a charge that the log does not have",
      /^I1 the acquirer knows/,
      { ...good, effects: [...good.effects, effect({ reference: "att_2" })] },
    ],
    [
      "two charges for one key",
      /^I1 key key-1 has two effects/,
      {
        ...good,
        log: [
          ...good.log,
          row({ paymentId: "pay_2", operationId: "att_2", label: "key-1" }),
          row({ paymentId: "pay_2", operationId: "att_2", sequence: 2, type: "payment_authorized", totals: held }),
        ],
        effects: [...good.effects, effect({ reference: "att_2" })],
      },
    ],
    ["an operation that was begun twice", /^I1 att_1 was begun twice/, { ...declined, log: [intent, { ...intent, sequence: 2 }] }],
    ["another amount at the acquirer", /^I1 the acquirer did/, { ...good, effects: [effect({ amount: 99n }), ...good.effects.slice(1)] }],
    ["a success that the acquirer did not do", /^I2 capture cap_1/, { ...good, effects: good.effects.slice(0, 1) }],
    ["an answer that the log does not have", /^I2 key key-1 was answered/, { ...good, told: [told({ version: 9 })] }],
    ["a second outcome", /^I2 payment_captured of cap_1/, { ...good, log: [...good.log, row({ ...captured, sequence: 5 })] }],
    ["a failure that was charged", /^I3 authorize att_1 failed by the log/, { ...declined, effects: [effect({})] }],
    [
      "a merchant who was told no, and was charged",
      /^I3 key key-1 was told card_declined/,
      { ...declined, effects: [effect({})], told: [told({ isRefused: true, code: "card_declined" })] },
    ],
    ["two answers to one key", /^P2 key key-1/, { ...good, told: [told({}), told({ version: 1 })] }],
    ["one answer to two bodies", /^P2 key key-1 was answered to two bodies/, { ...good, told: [told({}), told({ body: 1 })] }],
    [
      "a second payment with a reference of its own",
      /^P2 reference mer_1 order-1 has two payments/,
      {
        ...declined,
        log: [
          { ...intent, uniqueReference: "mer_1 order-1" },
          decline,
          row({ paymentId: "pay_2", type: "payment_created", uniqueReference: "mer_1 order-1" }),
        ],
      },
    ],
    [
      "an unknown outcome without a promise, though it was decided later",
      /^P3 pay_1\/2 authorization_unknown/,
      {
        ...declined,
        log: [
          intent,
          row({ sequence: 2, type: "authorization_unknown", openOperations: [{ id: "att_1", isUnknown: true, isAccepted: false }] }),
          row({ sequence: 3, type: "authorization_declined" }),
        ],
      },
    ],
    ["a payment that hides how it was made", /^P10 pay_1\/1/, { ...declined, log: [{ ...intent, isUnmarked: true }, decline] }],
    [
      "books that differ from the log",
      /^P4 payable mer_1 EUR: creditsPosted/,
      { ...good, payables: new Map([["mer_1 EUR", sums({ creditsPending: 100n, debitsPending: 60n })]]) },
    ],
    [
      "books that the log knows nothing of",
      /^P4 receivable USD/,
      { ...good, receivables: new Map([...good.receivables, ["USD", sums({ debitsPosted: 1n })]]) },
    ],
    [
      "more captures let in than were held",
      /^P5 cap_2: capture of 50 was let in, 40 were free/,
      {
        ...good,
        log: [...good.log, row({ sequence: 5, type: "capture_requested", operationId: "cap_2", amount: 50n, totals: captured.totals })],
      },
    ],
    [
      "totals that do not add up",
      /^P5 pay_1\/4 payment_captured: captured is 61/,
      { ...good, log: [...good.log.slice(0, 3), { ...captured, totals: { ...held, captured: 61n } }] },
    ],
    ["a row that is missing", /^P8 pay_1: row 4/, { ...good, log: [intent, approval, captured] }],
    [
      "an operation that nobody ends",
      /^liveness: authorize att_1 is open/,
      { ...declined, log: [{ ...intent, openOperations: [{ id: "att_1", isUnknown: false, isAccepted: false }] }], effects: [] },
    ],
    ["an operation that was lost", /^P7 authorize att_1 has no outcome/, { ...declined, log: [intent], effects: [] }],
    [
      "a reversal of what did not fail",
      /^I3 rev_1 undoes att_1, which has not failed/,
      {
        ...good,
        log: [
          ...good.log,
          row({ sequence: 5, type: "reversal_requested", operationId: "rev_1", undoes: "att_1", totals: captured.totals }),
        ],
      },
    ],
    [
      "a reversal that does not end",
      /^liveness: reversal rev_1/,
      { ...declined, log: [intent, decline, row({ sequence: 3, type: "reversal_requested", operationId: "rev_1", undoes: "att_1" })] },
    ],
  ];

  test.each(cases)("%s", (_, expected, history) => {
    expect(check(history).filter((violation) => expected.test(violation))).toHaveLength(1);
  });
});

test("an outcome that nobody knows is fine where it is said by when it will be known", () => {
  const open = { id: "att_1", isUnknown: true, isAccepted: false };
  const unknown = row({ sequence: 2, type: "authorization_unknown", openOperations: [open], resolvesByMs: 1 });
  expect(check({ ...declined, log: [intent, unknown], effects: [effect({})] })).toEqual([]);
  const unsaid = check({ ...declined, log: [intent, { ...unknown, resolvesByMs: 0 }], effects: [effect({})] });
  expect(unsaid.map((violation) => violation.split(" ")[0])).toEqual(["P3", "liveness:"]);
});

test("a charge of a failed payment is fine once it is reversed", () => {
  const reversal = [
    row({ sequence: 3, type: "reversal_requested", operationId: "rev_1", undoes: "att_1" }),
    row({ sequence: 4, type: "reversal_succeeded", operationId: "rev_1" }),
  ];
  const history = { ...declined, log: [intent, decline, ...reversal], told: [told({ isRefused: true, code: "card_declined" })] };
  expect(check({ ...history, effects: [effect({ isReversed: true })] })).toEqual([]);
  expect(check({ ...history, effects: [effect({})] })).not.toEqual([]);
});
