import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fullBucket, returnToken, takeToken } from "./token-bucket.ts";

const rate = { burst: 3, perSecond: 2 };

describe("token bucket", () => {
  test("gives the burst at once and then says when to come back", () => {
    const bucket = fullBucket(rate, 1_000);
    expect([1, 2, 3].map(() => takeToken(bucket, rate, 1_000))).toEqual([0, 0, 0]);
    expect(takeToken(bucket, rate, 1_000)).toBe(500);
    expect(takeToken(bucket, rate, 1_250)).toBe(250);
    expect(takeToken(bucket, rate, 1_500)).toBe(0);
  });

  test("never holds more than the burst, whatever is given back", () => {
    const bucket = fullBucket(rate, 0);
    returnToken(bucket, rate);
    expect(bucket.tokens).toBe(3);
    takeToken(bucket, rate, 3_600_000);
    expect(bucket.tokens).toBe(2);
  });

  test("a clock that steps back adds nothing and breaks nothing", () => {
    const bucket = fullBucket(rate, 10_000);
    takeToken(bucket, rate, 5_000);
    expect(bucket.tokens).toBe(2);
  });

  test("in any window no more than burst plus rate times time is given", () => {
    const steps = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(steps, (waits) => {
        const bucket = fullBucket(rate, 0);
        let nowMs = 0;
        let taken = 0;
        for (const waitMs of waits) {
          nowMs += waitMs;
          if (takeToken(bucket, rate, nowMs) === 0) taken += 1;
        }
        return taken <= rate.burst + (nowMs * rate.perSecond) / 1_000 + 1e-6;
      }),
    );
  });
});
