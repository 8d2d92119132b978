import { expect, test } from "vitest";
import { drawLatencyMs, formatLatency, parseLatency } from "./latency.ts";

test.each([
  ["none", "none"],
  ["0", "none"],
  ["20", "20"],
  ["300-1200", "300-1200"],
  ["5-5", "5"],
])("%s is read as %s", (text, shown) => {
  const latency = parseLatency(text);
  expect(latency && formatLatency(latency)).toBe(shown);
});

test.each(["", "fast", "-1", "9-3", "1.5", "999999"])("%s is no latency", (text) => {
  expect(parseLatency(text)).toBeUndefined();
});

test("a uniform latency reaches both of its ends", () => {
  const latency = { kind: "uniform", minMs: 300, maxMs: 1_200 } as const;
  expect([drawLatencyMs(latency, 0), drawLatencyMs(latency, 0.999_999_9)]).toEqual([300, 1_200]);
});
