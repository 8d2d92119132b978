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
    // By SQLSTATE. An ERROR means rolled back; a session that ended leaves its last statement open.
    ["a session that was never opened (08001)", serverError("08001"), "unavailable", "not_done"],
    ["a session that was refused (08004)", serverError("08004", { severity: "FATAL" }), "unavailable", "not_done"],
    ["a connection failure (08006)", serverError("08006"), "unavailable", "unknown"],
    ["a transaction whose end is not known (08007)", serverError("08007"), "unavailable", "unknown"],
    ["a violated protocol (08P01)", serverError("08P01", { severity: "FATAL" }), "unavailable", "unknown"],
    ["a server without writes (25006)", serverError("25006"), "unavailable", "not_done"],
    ["a session that idled in a transaction (25P03)", serverError("25P03", { severity: "FATAL" }), "unavailable", "unknown"],
    ["a wrong password (28P01)", serverError("28P01", { severity: "FATAL" }), "unavailable", "not_done"],
    ["a database that is gone (3D000)", serverError("3D000", { severity: "FATAL" }), "unavailable", "not_done"],
    ["a serialization failure (40001)", serverError("40001"), "unavailable", "not_done"],
    ["a statement whose end is not known (40003)", serverError("40003"), "unavailable", "unknown"],
    ["a deadlock (40P01)", serverError("40P01"), "unavailable", "not_done"],
    ["a full disk (53100)", serverError("53100"), "unavailable", "not_done"],
    ["no memory left (53200)", serverError("53200"), "unavailable", "not_done"],
    ["no connection left (53300)", serverError("53300", { severity: "FATAL" }), "overloaded", "not_done"],
    ["a lock that was not free (55P03)", serverError("55P03"), "unavailable", "not_done"],
    ["a cancelled statement, statement_timeout among them (57014)", serverError("57014"), "unavailable", "not_done"],
    ["a session ended by an administrator (57P01)", serverError("57P01", { severity: "FATAL" }), "unavailable", "unknown"],
    ["a session ended by a crash (57P02)", serverError("57P02", { severity: "FATAL" }), "unavailable", "unknown"],
    ["a server that is starting (57P03)", serverError("57P03", { severity: "FATAL" }), "unavailable", "not_done"],
    ["a database that was dropped (57P04)", serverError("57P04", { severity: "FATAL" }), "unavailable", "unknown"],
    ["a disk that fails (58030)", serverError("58030"), "unavailable", "not_done"],
    ["a file that cannot grow (XX000)", serverError("XX000"), "unavailable", "not_done"],
    ["a panic (XX000)", serverError("XX000", { severity: "PANIC" }), "unavailable", "unknown"],
    ["a value that does not fit (22003)", serverError("22003"), "internal", "not_done"],
    ["a missing table (42P01)", serverError("42P01"), "internal", "not_done"],
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
