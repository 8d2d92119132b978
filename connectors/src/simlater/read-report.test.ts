import { describe, expect, test } from "vitest";
import { type Expected, readEvent, readOutcome, readQueryAnswer, readTaken } from "./read-report.ts";

const expected: Expected = { reference: "att_1", step: "ORDER", amount: 1_000n, currency: "EUR" };
const report = {
  orderRef: "att_1",
  ticket: "sl_1",
  step: "ORDER",
  verdict: "GRANTED",
  why: "FINE",
  approval: "A1B2C3",
  addressCheck: "Y",
  codeCheck: "N",
  total: { value: "10.00", ccy: "EUR" },
};
const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

describe("the answer to an order", () => {
  const taken = (status: number, value: unknown) => readTaken(status, bytes(value), expected);

  test("202 that names our reference is taken", () => {
    expect(taken(202, { taken: true, orderRef: "att_1", ticket: "sl_1" })).toEqual({ sending: { kind: "taken" } });
  });

  test("a documented refusal is over; a fault of its own is over and unknown", () => {
    expect(taken(404, { fault: "NO_SUCH_ORDER" })).toMatchObject({
      sending: { kind: "decided", outcome: { kind: "declined", reason: "transaction_not_allowed" } },
    });
    const down = { sending: { kind: "decided", outcome: { kind: "unknown", cause: "processor_fault" } } };
    expect(taken(503, { fault: "OUT_OF_SERVICE" })).toMatchObject(down);
    expect(taken(502, "<html>")).toMatchObject(down);
  });

  test.each([
    [401, "NO_KEY", { kind: "not_sent", cause: "key_refused" }],
    [400, "NOT_UNDERSTOOD", { kind: "declined" }],
  ])("%i %s is the end of an order, and over but unknown for a step that may have been sent before", (status, fault, outcome) => {
    expect(taken(status, { fault })).toMatchObject({ sending: { kind: "decided", outcome } });
    for (const step of ["CLEAR", "RELEASE", "RETURN"] as const)
      expect(readTaken(status, bytes({ fault }), { ...expected, step })).toMatchObject({
        sending: { kind: "decided", outcome: { kind: "unknown", cause: "turned_away" } },
      });
  });

  test.each([
    ["another order's", 202, { taken: true, orderRef: "att_2" }, "answer_mismatch"],
    ["a half one", 202, { orderRef: "att_1" }, "garbage"],
    ["no JSON", 202, "<html>", "garbage"],
    ["a list", 202, [], "garbage"],
  ])("%s is not the answer", (_what, status, value, refused) => {
    expect(taken(status, value)).toBe(refused);
  });

  test.each([
    [200, { taken: true, orderRef: "att_1" }, "unmapped_response"],
    [409, { fault: "STILL_BOOKING" }, "in_progress"],
    [418, { fault: "TEAPOT" }, "unmapped_response"],
    [400, { fault: 7 }, "unmapped_response"],
    [500, { oops: true }, "processor_fault"],
  ])("%i %j leaves it open: the processor may have it", (status, value, cause) => {
    expect(taken(status, value)).toEqual({ sending: { kind: "unclear", cause } });
  });
});

describe("a report", () => {
  const outcome = (change: object) => readOutcome(200, bytes({ ...report, ...change }), expected);

  test("that grants is an approval with the processor's words", () => {
    expect(outcome({})).toEqual({
      kind: "approved",
      isFinal: true,
      words: { processorReference: "sl_1", responseCode: "FINE", authCode: "A1B2C3", avs: "match", cvv: "mismatch" },
    });
  });

  test.each(["constructor", "__proto__", "toString", "y"])("an address answer of %s is dropped, not passed on", (addressCheck) => {
    expect(outcome({ addressCheck, codeCheck: addressCheck })).toMatchObject({ kind: "approved", words: { avs: "", cvv: "" } });
  });

  test.each([
    ["reference", { orderRef: "att_2" }],
    ["step", { step: "RETURN" }],
    ["amount", { total: { value: "10.01", ccy: "EUR" } }],
    ["currency", { total: { value: "10.00", ccy: "USD" } }],
  ])("about another %s is not ours", (_what, change) => {
    expect(outcome(change)).toBe("answer_mismatch");
  });

  test.each([
    ["a number for a word", { why: 1 }],
    ["no total", { total: undefined }],
    ["null for a total", { total: null }],
    ["an amount that is no amount", { total: { value: "ten", ccy: "EUR" } }],
    ["a word of any length", { approval: "x".repeat(65) }],
  ])("with %s is garbage", (_what, change) => {
    expect(outcome(change)).toBe("garbage");
  });
});

describe("the answer to a cancellation", () => {
  const cancelled = { reference: "rev_1", step: "CANCEL", amount: undefined, currency: undefined } as const;
  const answered = (status: number, value: unknown) => readOutcome(status, bytes(value), cancelled);

  test.each([
    [401, "NO_KEY"],
    [400, "NOT_UNDERSTOOD"],
    [403, "NOT_YOURS"],
    [429, "TOO_MANY"],
    [404, "NO_SUCH_ORDER"],
  ])("%i %s says nothing about what is to be undone", (status, fault) => {
    expect(answered(status, { fault })).toMatchObject({ kind: "unknown" });
  });

  test("that it cannot be undone is said by a report", () => {
    const impossible = { ...report, orderRef: "rev_1", step: "CANCEL", verdict: "REFUSED", why: "STEP_IMPOSSIBLE" };
    expect(answered(200, impossible)).toMatchObject({ kind: "declined", reason: "transaction_not_allowed" });
  });
});

describe("the answer to a question", () => {
  const asked = (status: number, value: unknown, of: Partial<Expected> = {}) =>
    readQueryAnswer(status, bytes(value), { ...expected, ...of });

  test("only the documented word says that there is nothing", () => {
    expect(asked(404, { fault: "NO_SUCH_ORDER" })).toEqual({ kind: "not_found" });
    expect(asked(404, { fault: "NO_SUCH_PAGE" })).toMatchObject({ kind: "found", outcome: { kind: "unknown" } });
    expect(asked(404, "<html>")).toBe("garbage");
    expect(asked(401, { fault: "NO_KEY" })).toEqual({ kind: "found", outcome: { kind: "unknown", cause: "not_reached" } });
  });

  test("a report is an outcome", () => {
    expect(asked(200, { ...report, step: "RETURN", verdict: "QUEUED" }, { step: "RETURN" })).toMatchObject({
      kind: "found",
      outcome: { kind: "approved", isFinal: false },
    });
  });

  const booked = { ...report, total: { value: "9.99", ccy: "EUR" } };

  test("about a partial approval is no better than the answer to the order was", () => {
    expect(readOutcome(200, bytes(booked), expected)).toBe("answer_mismatch");
    expect(asked(200, booked)).toBe("answer_mismatch");
  });

  test.each([
    ["amount", booked],
    ["currency", { ...report, total: { value: "10.00", ccy: "USD" } }],
    ["step", { ...report, step: "RETURN" }],
    ["reference", { ...report, orderRef: "att_2" }],
  ])("that names another %s says nothing", (_what, value) => {
    expect(asked(200, value)).toBe("answer_mismatch");
  });

  test("about a void, which has no amount, is compared with none", () => {
    const release = { step: "RELEASE", amount: undefined, currency: undefined } as const;
    expect(asked(200, { ...booked, step: "RELEASE" }, release)).toMatchObject({ outcome: { kind: "approved" } });
  });
});

describe("a callback", () => {
  test("is read with what the waiting call expects", () => {
    const event = readEvent(bytes({ eventId: "e1", report }));
    expect(event).toMatchObject({ eventId: "e1", reference: "att_1" });
    expect(event?.outcomeFor(expected)).toMatchObject({ kind: "approved" });
    expect(event?.outcomeFor({ ...expected, amount: 1n })).toEqual({ kind: "unknown", cause: "answer_mismatch" });
  });

  test.each([["{"], [[]], [null], [{ report }], [{ eventId: "", report }], [{ eventId: "e1" }], [{ eventId: "e1", report: [] }]])(
    "%j is none",
    (value) => {
      expect(readEvent(bytes(value))).toBeUndefined();
    },
  );
});
