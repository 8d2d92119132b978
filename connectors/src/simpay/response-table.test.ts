import { isDeclineReason } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { errorMeanings, meaningOfError, meaningOfOperation, operationMeanings } from "./response-table.ts";

describe("simpay's table", () => {
  test("only three answers approve, and only a refund is approved without being final", () => {
    const approvals = Object.entries(operationMeanings).filter(([, meaning]) => meaning.kind === "approved");
    expect(approvals).toEqual([
      ["approved 00", { kind: "approved", isFinal: true }],
      ["pending 00", { kind: "approved", isFinal: false }],
      ["succeeded 00", { kind: "approved", isFinal: true }],
    ]);
  });

  test("what is only accepted is approved for a refund, and open for anything else", () => {
    expect(meaningOfOperation("pending", "00", "refund")).toEqual({ kind: "approved", isFinal: false });
    for (const operation of ["authorization", "capture", "void", "reversal"] as const)
      expect(meaningOfOperation("pending", "00", operation)).toEqual({ kind: "unknown", cause: "in_progress" });
  });

  test("every decline has a reason of the kernel's list", () => {
    for (const meaning of [...Object.values(operationMeanings), ...Object.values(errorMeanings)])
      if (meaning.kind === "declined") expect(isDeclineReason(meaning.reason)).toBe(true);
  });

  test.each([
    ["approved", "05"],
    ["declined", "00"],
    ["referred", "ZZ"],
    ["failed", "00"],
    ["pending", "05"],
    ["declined", "99"],
    ["approved", ""],
    ["", "00"],
    ["__proto__", ""],
    ["constructor", ""],
  ])("%s with code %s has no mapping and is unknown", (status, code) => {
    expect(meaningOfOperation(status, code, "authorization")).toEqual({ kind: "unknown", cause: "unmapped_response" });
  });

  test("an error word under another HTTP status has no mapping", () => {
    expect(meaningOfError(404, "authorization_not_found")).toMatchObject({ kind: "declined" });
    expect(meaningOfError(500, "authorization_not_found")).toEqual({ kind: "unknown", cause: "unmapped_response" });
    expect(meaningOfError(200, "toString")).toEqual({ kind: "unknown", cause: "unmapped_response" });
  });

  test("a fault of the processor's own is never a decline", () => {
    for (const [key, meaning] of Object.entries(errorMeanings))
      if (key.startsWith("5")) expect([key, meaning.kind]).toEqual([key, "unknown"]);
  });
});
