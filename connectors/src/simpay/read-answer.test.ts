import { describe, expect, test } from "vitest";
import { type Expected, readOutcome, readQueryAnswer } from "./read-answer.ts";

const expected: Expected = { reference: "att_1", operation: "authorization", amount: 1_000n, currency: "EUR" };
const good = {
  id: "sp_1",
  reference: "att_1",
  operation: "authorization",
  status: "approved",
  response_code: "00",
  decline_code: "",
  auth_code: "A1B2C3",
  avs: "match",
  cvv: "",
  amount: 1_000,
  currency: "EUR",
};
const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const outcome = (status: number, value: unknown) => readOutcome(status, bytes(value), expected);

describe("an answer to an operation", () => {
  test("an approval with the processor's words", () => {
    expect(outcome(201, good)).toEqual({
      kind: "approved",
      isFinal: true,
      words: { processorReference: "sp_1", responseCode: "00", authCode: "A1B2C3", avs: "match", cvv: "" },
    });
  });

  test.each([
    ["another reference", { ...good, reference: "att_2" }],
    ["another operation", { ...good, operation: "refund" }],
    ["another amount", { ...good, amount: 999 }],
    ["another currency", { ...good, currency: "USD" }],
  ])("%s is not the answer to our request", (_what, answer) => {
    expect(outcome(201, answer)).toBe("answer_mismatch");
  });

  test.each([
    ["no JSON", "<html>"],
    ["an array of nothing", []],
    ["a number", "7"],
    ["a missing field", { ...good, auth_code: undefined }],
    ["a field of another type", { ...good, amount: "1000" }],
    ["a broken amount", { ...good, amount: 10.5 }],
    ["an endless field", { ...good, id: "x".repeat(1_000) }],
  ])("%s is garbage", (_what, answer) => {
    expect(outcome(200, answer)).toBe("garbage");
  });

  test("an approval under an HTTP status that is not documented is unknown", () => {
    for (const status of [202, 206, 302, 404]) expect(outcome(status, good)).toEqual({ kind: "unknown", cause: "unmapped_response" });
    expect(outcome(503, good)).toEqual({ kind: "unknown", cause: "processor_fault" });
    expect(outcome(502, "<html>bad gateway</html>")).toEqual({ kind: "unknown", cause: "processor_fault" });
  });

  const refusedAs = (operation: Expected["operation"], status: number, code: string) =>
    readOutcome(status, bytes({ error: { code } }), { ...expected, operation });
  const declined = { kind: "declined", reason: "processing_error" };
  const atTheDoor = [
    [401, "api_key_invalid", { kind: "not_sent", cause: "key_refused" }],
    [400, "request_invalid", declined],
    [400, "idempotency_key_missing", declined],
  ] as const;

  test.each(atTheDoor)("%i %s is the end of an authorization, and of nothing that may have been sent before", (status, code, end) => {
    expect(refusedAs("authorization", status, code)).toMatchObject(end);
    for (const operation of ["capture", "void", "refund", "reversal"] as const)
      expect(refusedAs(operation, status, code)).toMatchObject({ kind: "unknown", cause: "turned_away" });
  });

  test("403 and 429 are unknown whatever was asked for: the documentation has neither", () => {
    for (const operation of ["authorization", "capture", "void", "refund", "reversal"] as const)
      for (const status of [403, 429]) expect(refusedAs(operation, status, "rate_exceeded")).toMatchObject({ kind: "unknown" });
  });

  test("no error says that something cannot be undone; a report does", () => {
    expect(refusedAs("capture", 404, "authorization_not_found")).toMatchObject({ kind: "declined", reason: "transaction_not_allowed" });
    expect(refusedAs("reversal", 404, "authorization_not_found")).toMatchObject({ kind: "unknown", cause: "turned_away" });
    const report = { ...good, operation: "reversal", status: "declined", response_code: "12" };
    expect(readOutcome(201, bytes(report), { ...expected, operation: "reversal" })).toMatchObject({ kind: "declined" });
  });

  test("an odd address answer is dropped, not passed on", () => {
    expect(outcome(201, { ...good, avs: "<script>" })).toMatchObject({ kind: "approved", words: { avs: "" } });
  });
});

describe("an answer to a query", () => {
  const answer = (status: number, value: unknown, of: Partial<Expected> = {}) =>
    readQueryAnswer(status, bytes(value), { ...expected, ...of });

  test("only the documented word means that there surely is no such operation", () => {
    expect(answer(404, { error: { code: "operation_not_found" } })).toEqual({ kind: "not_found" });
    expect(answer(404, { error: { code: "route_unknown" } })).toMatchObject({ kind: "found", outcome: { kind: "unknown" } });
    expect(answer(404, "<html>not found</html>")).toBe("garbage");
    expect(answer(200, { error: { code: "operation_not_found" } })).toMatchObject({ kind: "found", outcome: { kind: "unknown" } });
  });

  test("a refusal of the question says nothing about the operation", () => {
    expect(answer(401, { error: { code: "api_key_invalid" } })).toEqual({
      kind: "found",
      outcome: { kind: "unknown", cause: "not_reached" },
    });
    expect(answer(409, { error: { code: "operation_in_progress" } })).toEqual({
      kind: "found",
      outcome: { kind: "unknown", cause: "in_progress" },
    });
  });

  test("the operation that was asked about is an outcome", () => {
    expect(answer(200, { ...good, operation: "refund", status: "pending" }, { operation: "refund" })).toMatchObject({
      outcome: { kind: "approved", isFinal: false },
    });
  });

  test("about a partial approval is no better than the answer to the authorization was", () => {
    expect(outcome(201, { ...good, amount: 999 })).toBe("answer_mismatch");
    expect(answer(200, { ...good, amount: 999 })).toBe("answer_mismatch");
  });

  test.each([
    ["reference", { reference: "att_9" }],
    ["operation", { operation: "refund" }],
    ["amount", { amount: 1_001 }],
    ["currency", { currency: "USD" }],
  ])("that names another %s says nothing", (_what, change) => {
    expect(answer(200, { ...good, ...change })).toBe("answer_mismatch");
  });

  test("about a void, which has no amount, is compared with none", () => {
    const release = { operation: "void", amount: undefined, currency: undefined } as const;
    expect(answer(200, { ...good, operation: "void", amount: 7 }, release)).toMatchObject({ outcome: { kind: "approved" } });
  });
});
