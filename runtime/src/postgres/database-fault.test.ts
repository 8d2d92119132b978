import { AppError } from "@florin/kernel";
import { describe, expect, test } from "vitest";
import { DatabaseFault, toDatabaseFault } from "./database-fault.ts";

const driverError = (fields: Record<string, unknown>): Error => Object.assign(new Error("raw message with a row's data"), fields);
const serverError = (code: string, more: Record<string, unknown> = {}): Error =>
  driverError({ name: "PostgresError", code, severity: "ERROR", ...more });

describe("toDatabaseFault", () => {
  test.each([
    ["a refused connection", driverError({ code: "ECONNREFUSED" }), "unavailable", "not_done"],
    ["a connect time-out", driverError({ code: "CONNECT_TIMEOUT" }), "unavailable", "not_done"],
    ["a connection closed in flight", driverError({ code: "CONNECTION_CLOSED" }), "unavailable", "unknown"],
    ["a reset in flight", driverError({ code: "ECONNRESET" }), "unavailable", "unknown"],
    ["a server that is starting", serverError("57P03", { severity: "FATAL" }), "unavailable", "not_done"],
    ["a session ended by an administrator", serverError("57P01", { severity: "FATAL" }), "unavailable", "unknown"],
    ["no connection left", serverError("53300", { severity: "FATAL" }), "overloaded", "not_done"],
    ["a cancelled statement", serverError("57014"), "unavailable", "not_done"],
    ["a deadlock", serverError("40P01"), "unavailable", "not_done"],
    ["a missing table", serverError("42P01"), "internal", "not_done"],
    ["something never seen", new Error("?"), "internal", "unknown"],
  ] as const)("%s", (_, thrown, code, work) => {
    expect(toDatabaseFault(thrown)).toMatchObject({ code, work, cause: thrown });
  });

  test("a violated constraint keeps its state and its name, and shows no data", () => {
    const fault = toDatabaseFault(
      serverError("23514", { constraint_name: "captured_at_most_authorized", detail: "Failing row contains (4242)" }),
    );
    expect(fault).toBeInstanceOf(DatabaseFault);
    expect(fault).toMatchObject({ sqlState: "23514", constraint: "captured_at_most_authorized", work: "not_done" });
    expect(fault.message).not.toContain("4242");
  });

  test("an AppError passes unchanged", () => {
    const fault = new AppError("overloaded", "full", { work: "not_done" });
    expect(toDatabaseFault(fault)).toBe(fault);
  });
});
