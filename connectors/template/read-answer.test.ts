import { expect, test } from "vitest";
import { type Expected, readOutcome, readQueryAnswer } from "./read-answer.ts";

const expected: Expected = { reference: "att_1", kind: "authorization", amount: 1_000n, currency: "EUR" };
/** Fill in: an answer as the documentation shows it. */
const good = { id: "p1", reference: "att_1", status: "a status", code: "a code", approval: "A1", amount: "1000", currency: "EUR" };
const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const outcome = (status: number, value: unknown) => readOutcome(status, bytes(value), expected);

test("an answer without a mapping is unknown, and keeps the processor's words", () => {
  expect(outcome(200, good)).toMatchObject({ kind: "unknown", cause: "unmapped_response", words: { responseCode: "a code" } });
});

test.each([
  ["another reference", { ...good, reference: "att_2" }],
  ["another amount", { ...good, amount: "999" }],
  ["another currency", { ...good, currency: "USD" }],
])("%s is not the answer to our request", (_what, answer) => {
  expect(outcome(200, answer)).toBe("answer_mismatch");
});

test("a question has no other eyes: what names another amount says nothing", () => {
  expect(readQueryAnswer(200, bytes({ ...good, amount: "999" }), expected)).toBe("answer_mismatch");
});

test.each([
  ["no JSON", "<html>"],
  ["a list", []],
  ["a number for a word", { ...good, code: 1 }],
  ["a word of any length", { ...good, approval: "x".repeat(65) }],
  ["nothing", ""],
])("%s is garbage", (_what, answer) => {
  expect(outcome(200, answer)).toBe("garbage");
});

test("a fault of the processor's own is unknown, whatever it says", () => {
  for (const body of ["<html>", { error: "card_declined" }, good]) expect(outcome(503, body)).toMatchObject({ kind: "unknown" });
});

test("a question that is refused has not said no", () => {
  for (const [status, body] of [
    [404, "<html>"],
    [404, { error: "no_such_page" }],
    [401, { error: "key" }],
  ] as const)
    expect(readQueryAnswer(status, bytes(body), expected)).not.toMatchObject({ kind: "not_found" });
});
