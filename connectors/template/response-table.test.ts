import { isDeclineReason } from "@florin/kernel";
import { expect, test } from "vitest";
import { isTurnedAway } from "../src/http1/turned-away.ts";
import { answerMeanings, errorMeanings, meaningOfAnswer, meaningOfError, meaningOfRefusal } from "./response-table.ts";

/** Fill in: every answer that approves stands here once more, so that none slips in. */
test("only these answers approve", () => {
  const approvals = Object.entries({ ...answerMeanings, ...errorMeanings }).filter(([, meaning]) => meaning.kind === "approved");
  expect(approvals).toEqual([]);
});

test("every decline has a reason of the kernel's list", () => {
  for (const meaning of [...Object.values(answerMeanings), ...Object.values(errorMeanings)])
    if (meaning.kind === "declined") expect(isDeclineReason(meaning.reason)).toBe(true);
});

test.each([
  ["approved", "a code that no documentation has"],
  ["", ""],
  ["__proto__", ""],
  ["constructor", ""],
])("%s with %s has no mapping and is unknown", (status, code) => {
  expect(meaningOfAnswer(status, code, "authorization")).toEqual({ kind: "unknown", cause: "unmapped_response" });
});

test("a fault of the processor's own is never a decline", () => {
  for (const error of [...Object.keys(errorMeanings), "anything"])
    expect(meaningOfError(503, error.slice(4))).toEqual({ kind: "unknown", cause: "processor_fault" });
});

test("a key that is wrong for a minute ends no reversal, and nothing that may have been sent before", () => {
  for (const key of [...Object.keys(errorMeanings), "401 anything"]) {
    const [status = "", ...error] = key.split(" ");
    if (!isTurnedAway(Number(status))) continue;
    for (const kind of ["capture", "void", "refund", "reversal"] as const)
      expect([key, meaningOfRefusal(Number(status), error.join(" "), kind).kind]).toEqual([key, "unknown"]);
  }
});
