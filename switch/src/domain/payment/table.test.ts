import { expect, test } from "vitest";
import { eventTypes } from "./event.ts";
import { holdOf, statuses, statusOf } from "./status.ts";
import { isAllowed, table } from "./table.ts";

test("the table has a row for every status and a cell for every event", () => {
  expect(Object.keys(table).sort()).toEqual(["new", ...statuses].sort());
  for (const row of Object.values(table)) expect(Object.keys(row).sort()).toEqual([...eventTypes].sort());
});

test("every cell leads to known statuses only, and names none twice", () => {
  for (const row of Object.values(table))
    for (const cell of Object.values(row)) {
      for (const status of cell) expect(statuses).toContain(status);
      expect(new Set(cell).size).toBe(cell.length);
    }
});

test("every status can be reached from the start", () => {
  const reached = new Set<string>();
  const frontier: ("new" | (typeof statuses)[number])[] = ["new"];
  for (let status = frontier.pop(); status !== undefined; status = frontier.pop()) {
    for (const next of Object.values(table[status]).flat()) {
      if (!reached.has(next)) frontier.push(next);
      reached.add(next);
    }
  }
  expect([...reached].sort()).toEqual([...statuses].sort());
});

test("every event can happen somewhere", () => {
  for (const event of eventTypes) expect(Object.values(table).some((row) => row[event].length > 0)).toBe(true);
});

test("voided and expired payments are at their end: only what never counted may still be undone", () => {
  for (const status of ["voided", "expired"] as const)
    for (const event of eventTypes) expect(table[status][event]).toEqual(event.startsWith("reversal_") ? [status] : []);
});

test("a reversal may happen in every status and changes none", () => {
  for (const status of statuses)
    for (const event of ["reversal_requested", "reversal_succeeded", "reversal_failed"] as const)
      expect(table[status][event]).toEqual([status]);
});

test("an authorization can start only where nothing is held and nothing is unknown", () => {
  const startable = statuses.filter((status) => isAllowed({ before: status, event: "authorization_requested", after: "processing" }));
  expect(startable).toEqual(["created", "declined"]);
});

test("the hold behind a stored status gives the status back", () => {
  for (const hold of ["none", "requested", "ambiguous", "held", "declined", "voided", "expired"] as const) {
    const released = hold === "voided" || hold === "expired" ? 100n : 0n;
    const facts = { hold, authorized: 100n, captured: 0n, refunded: 0n, released };
    expect(holdOf({ status: statusOf(facts), captured: 0n, released })).toBe(hold);
  }
});
