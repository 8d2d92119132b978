import { describe, expect, test } from "vitest";
import { formatTraceparent, isSampled, newTraceparent, parseTraceparent } from "./traceparent.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

describe("parseTraceparent", () => {
  test("reads the example of the recommendation and writes it back", () => {
    const header = `00-${traceId}-${spanId}-01`;
    expect(parseTraceparent(header)).toEqual({ traceId, spanId, isSampled: true });
    expect(formatTraceparent({ traceId, spanId, isSampled: true })).toBe(header);
  });

  test("other flags do not count as sampled", () => {
    expect(parseTraceparent(`00-${traceId}-${spanId}-02`)?.isSampled).toBe(false);
    expect(parseTraceparent(`00-${traceId}-${spanId}-03`)?.isSampled).toBe(true);
  });

  test("a higher version is read as far as it is known", () => {
    expect(parseTraceparent(`cc-${traceId}-${spanId}-01-what-the-future-brings`)).toEqual({ traceId, spanId, isSampled: true });
  });

  test.each([
    ["nothing", undefined],
    ["an empty header", ""],
    ["version ff", `ff-${traceId}-${spanId}-01`],
    ["a zero trace id", `00-${"0".repeat(32)}-${spanId}-01`],
    ["a zero span id", `00-${traceId}-${"0".repeat(16)}-01`],
    ["capital letters", `00-${traceId.toUpperCase()}-${spanId}-01`],
    ["more after version 00", `00-${traceId}-${spanId}-01-x`],
    ["a short one", `00-${traceId}-${spanId}`],
    ["an endless one", `cc-${traceId}-${spanId}-01-${"x".repeat(300)}`],
  ])("%s is as good as none", (_, header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });
});

describe("isSampled", () => {
  test("agrees with the parser for every flag", () => {
    for (let flags = 0; flags < 256; flags++) {
      const header = `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, "0")}`;
      expect(isSampled(header)).toBe(parseTraceparent(header)?.isSampled);
    }
    expect(isSampled("")).toBe(false);
  });
});

describe("newTraceparent", () => {
  test("makes valid ones that differ", () => {
    const made = Array.from({ length: 1_000 }, (_, index) => newTraceparent(index % 2 === 0));
    expect(new Set(made).size).toBe(1_000);
    expect(made.every((header, index) => parseTraceparent(header)?.isSampled === (index % 2 === 0))).toBe(true);
  });
});
