import { randomBytes } from "node:crypto";
import { makeId } from "@florin/kernel";
import { expect, test } from "vitest";
import { identityOf } from "./identity.ts";

const terminals = ["TERM0001", "TERM0002", "TERM0003"];
const at = Date.UTC(2026, 10, 21, 14, 30, 45, 678);

test("an identity follows from the reference, for ever", () => {
  // A golden value: another would orphan reversals of what was sent before it.
  expect(identityOf(makeId("attempt", at, Buffer.from("000102030405060708ff", "hex")), terminals)).toEqual({
    stan: "983786",
    terminal: "TERM0002",
    retrievalReference: "6325Z392R5CM",
    transmission: "1121143045",
    atMs: at,
  });
});

test("days of the year are counted from 001", () => {
  const of = (ms: number) => identityOf(makeId("capture", ms, Buffer.alloc(10)), terminals).retrievalReference.slice(0, 4);
  expect([of(Date.UTC(2026, 0, 1)), of(Date.UTC(2026, 11, 31, 23, 59, 59)), of(Date.UTC(2028, 11, 31))]).toEqual(["6001", "6365", "8366"]);
});

test("identities are well-formed, spread over numbers and terminals, and do not meet", () => {
  const all = Array.from({ length: 20_000 }, () => identityOf(makeId("attempt", at, randomBytes(10)), terminals));
  for (const { stan, retrievalReference } of all) {
    expect(stan).toMatch(/^(?!000000)\d{6}$/);
    expect(retrievalReference).toMatch(/^\d{4}[0-9A-Z]{8}$/);
  }
  expect(new Set(all.map(({ retrievalReference }) => retrievalReference)).size).toBe(all.length);
  // About 200 of 20,000 meet in a million numbers; far more would show that the numbers are not spread.
  expect(new Set(all.map(({ stan }) => stan)).size).toBeGreaterThan(19_500);
  for (const terminal of terminals) expect(all.filter((one) => one.terminal === terminal).length).toBeGreaterThan(6_000);
});

test("what is no id of ours has no identity", () => expect(() => identityOf("order-4711", terminals)).toThrow("one of our ids"));
