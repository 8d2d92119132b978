import { describe, expect, test } from "vitest";
import { invalid, toAppError } from "./app-error.ts";
import { declineReasons, isDeclineReason } from "./decline-reason.ts";
import { errorCatalogue, errorCodes, isErrorCode } from "./error-code.ts";

describe("error catalogue", () => {
  test.each(errorCodes.map((code) => [code, errorCatalogue[code]] as const))(
    "%s has a status, a help sentence and snake case",
    (code, entry) => {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(entry.http).toBeGreaterThanOrEqual(400);
      expect(entry.http).toBeLessThan(600);
      expect(entry.help).toMatch(/^[A-Z].+\.$/);
    },
  );

  test("a code whose outcome may be unknown is never a client error, except for a caller who gave up", () => {
    for (const code of ["deadline_exceeded", "peer_lost", "unavailable", "internal"] as const)
      expect(errorCatalogue[code].http).toBeGreaterThanOrEqual(500);
  });

  test("names of Object.prototype are no codes", () => {
    for (const name of ["toString", "constructor", "__proto__", ""])
      expect([isErrorCode(name), isDeclineReason(name)]).toEqual([false, false]);
    expect(isErrorCode("card_declined")).toBe(true);
    expect(isDeclineReason("expired_card")).toBe(true);
  });

  test("lost, stolen and picked-up cards are told apart inside, but not to the payer", () => {
    const messages = (["lost_card", "stolen_card", "pickup_card", "fraudulent"] as const).map((reason) => declineReasons[reason].message);
    expect(new Set(messages)).toEqual(new Set(["The card was declined."]));
  });
});

describe("AppError", () => {
  test("an unforeseen fault is internal with unknown work and keeps its cause", () => {
    const cause = new TypeError("boom");
    const fault = toAppError(cause);
    expect([fault.code, fault.work, fault.cause]).toEqual(["internal", "unknown", cause]);
    expect(fault.message).not.toContain("boom");
    expect(toAppError(fault)).toBe(fault);
  });

  test("bad input says that nothing was done, and which field", () => {
    const fault = invalid("parameter_missing", "amount is missing", "amount");
    expect([fault.work, fault.param, fault.catalogue.http]).toEqual(["not_done", "amount", 400]);
  });
});
