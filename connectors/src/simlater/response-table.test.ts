import { isDeclineReason } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { faultMeanings, meaningOfFault, meaningOfReport, reportMeanings } from "./response-table.ts";

describe("simlater's table", () => {
  test("only three reports approve, and only a queued refund is approved without being final", () => {
    const approvals = Object.entries(reportMeanings).filter(([, meaning]) => meaning.kind === "approved");
    expect(approvals).toEqual([
      ["GRANTED FINE", { kind: "approved", isFinal: true }],
      ["QUEUED FINE", { kind: "approved", isFinal: false }],
      ["PAID_OUT FINE", { kind: "approved", isFinal: true }],
    ]);
    expect(Object.values(faultMeanings).filter(({ kind }) => (kind as string) === "approved")).toEqual([]);
  });

  test("what is only accepted is approved for a refund, and open for anything else", () => {
    expect(meaningOfReport("QUEUED", "FINE", "RETURN")).toEqual({ kind: "approved", isFinal: false });
    for (const step of ["ORDER", "CLEAR", "RELEASE", "CANCEL"] as const)
      expect(meaningOfReport("QUEUED", "FINE", step)).toEqual({ kind: "unknown", cause: "in_progress" });
  });

  test("every decline has a reason of the kernel's list", () => {
    for (const meaning of [...Object.values(reportMeanings), ...Object.values(faultMeanings)])
      if (meaning.kind === "declined") expect(isDeclineReason(meaning.reason)).toBe(true);
  });

  test.each([
    ["GRANTED", "NOT_ENOUGH_FUNDS"],
    ["REFUSED", "FINE"],
    ["REFUSED", "A_NEW_WORD"],
    ["REFERRED", "SEE_BRANCH"],
    ["granted", "FINE"],
    ["PROCESSING", "FINE"],
    ["", ""],
    ["__proto__", ""],
    ["constructor", ""],
  ])("%s because of %s has no mapping and is unknown", (verdict, why) => {
    expect(meaningOfReport(verdict, why, "ORDER")).toEqual({ kind: "unknown", cause: "unmapped_response" });
  });

  test("a fault word under another HTTP status has no mapping", () => {
    expect(meaningOfFault(404, "NO_SUCH_ORDER")).toMatchObject({ kind: "declined" });
    expect(meaningOfFault(409, "NO_SUCH_ORDER")).toEqual({ kind: "unknown", cause: "unmapped_response" });
    expect(meaningOfFault(200, "toString")).toEqual({ kind: "unknown", cause: "unmapped_response" });
  });

  test("a fault of the processor's own is never a decline, whatever word comes with it", () => {
    for (const word of ["OUT_OF_SERVICE", "NO_SUCH_ORDER", "NO_KEY", "anything"])
      expect(meaningOfFault(503, word)).toEqual({ kind: "unknown", cause: "processor_fault" });
  });
});
