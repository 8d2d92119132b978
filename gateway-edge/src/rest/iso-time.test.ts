import fc from "fast-check";
import { expect, test } from "vitest";
import { isoTime, isoTimeOrNull, parseIsoTime } from "./iso-time.ts";

const timeMs = fc.integer({ min: 0, max: 253_402_300_799_999 });

test("times are written as the engine writes them, whatever was written before", () => {
  fc.assert(fc.property(timeMs, (time) => isoTime(BigInt(time)) === new Date(time).toISOString()));
  for (const offset of [0, 1, 59_999, 60_000, 59_999, 0]) {
    expect(isoTime(BigInt(1_700_000_000_000 + offset))).toBe(new Date(1_700_000_000_000 + offset).toISOString());
  }
});

test("a written time is read back", () => {
  fc.assert(fc.property(timeMs, (time) => parseIsoTime(isoTime(BigInt(time))) === BigInt(time)));
  expect(parseIsoTime("2026-11-21T06:00:00+02:00")).toBe(BigInt(Date.parse("2026-11-21T04:00:00Z")));
  expect(parseIsoTime("2026-11-21T06:00:00.5Z")).toBe(BigInt(Date.parse("2026-11-21T06:00:00.500Z")));
});

test("zero is null", () => expect(isoTimeOrNull(0n)).toBe("null"));

test.each([
  "",
  "2026-11-21",
  "2026-11-21 06:00:00Z",
  "2026-11-21T06:00:00",
  "2026-13-01T00:00:00Z",
  "2026-02-30T00:00:00Z",
  "1795239476",
  "2026-11-21T25:00:00Z",
  "2026-11-00T00:00:00Z",
  "1960-01-01T00:00:00Z",
])("%j is no time", (text) => expect(parseIsoTime(text)).toBeUndefined());
