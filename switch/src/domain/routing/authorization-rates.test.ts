import fc from "fast-check";
import { expect, test } from "vitest";
import { createAuthorizationRates, type RateSettings } from "./authorization-rates.ts";

const settings: RateSettings = { bucketMs: 1_000, bucketsPerWindow: 4, segmentsMax: 100, priorSamples: 10, priorBps: 8_000 };
const startMs = 1_000_000;
const make = (changes: Partial<RateSettings> = {}) => createAuthorizationRates({ ...settings, ...changes });
const answer = (isApproved: boolean, processor = "alpha", segment = "visa") => ({ processor, segment, isApproved });

test("who knows nothing believes the prior", () => {
  expect(make().estimate("alpha", "visa", startMs)).toEqual({ rateBps: 8_000, samples: 0 });
});

test("answers outweigh the prior as they grow", () => {
  const rates = make();
  for (let count = 0; count < 10; count++) rates.record(answer(false), startMs);
  // The processor: (0 + 10 × 0.8) ÷ 20 = 0.4; its segment: (0 + 10 × 0.4) ÷ 20.
  expect(rates.estimate("alpha", "visa", startMs)).toEqual({ rateBps: 2_000, samples: 10 });
  for (let count = 0; count < 10_000; count++) rates.record(answer(false), startMs);
  expect(rates.estimate("alpha", "visa", startMs).rateBps).toBeLessThan(10);
});

test("a segment without answers starts from its processor, another processor from the prior", () => {
  const rates = make();
  for (let count = 0; count < 990; count++) rates.record(answer(true), startMs);
  expect(rates.estimate("alpha", "amex", startMs)).toEqual({ rateBps: 9_980, samples: 0 });
  expect(rates.estimate("beta", "visa", startMs)).toEqual({ rateBps: 8_000, samples: 0 });
});

test("an answer counts until its bucket leaves the window", () => {
  const rates = make();
  rates.record(answer(false), startMs);
  const samplesAt = (nowMs: number) => rates.estimate("alpha", "visa", nowMs).samples;
  expect([samplesAt(startMs + 3_999), samplesAt(startMs + 4_000)]).toEqual([1, 0]);
  expect(rates.estimate("alpha", "visa", startMs + 4_000).rateBps).toBe(8_000);
});

test("a clock that steps back loses nothing", () => {
  const rates = make();
  rates.record(answer(true), startMs);
  rates.record(answer(true), startMs - 60_000);
  expect(rates.estimate("alpha", "visa", startMs - 60_000).samples).toBe(2);
});

test("memory is bounded: the segment or the processor that was answered least recently is forgotten", () => {
  const rates = make({ segmentsMax: 2 });
  for (const segment of ["first", "second", "first", "third"]) rates.record(answer(true, "alpha", segment), startMs);
  expect(rates.size).toBe(3);
  expect(["first", "second", "third"].map((segment) => rates.estimate("alpha", segment, startMs).samples)).toEqual([2, 0, 1]);
  // Settings come and go while a process lives: it may meet any number of names, and answers of the newest count.
  for (let index = 1; index <= 40; index++) {
    rates.record(answer(true, `p${index}`, "third"), startMs);
    rates.record(answer(true, "alpha", "third"), startMs);
  }
  expect(rates.size).toBe(15 * 2 + 3);
  expect(["alpha", "p40", "p26", "p25"].map((name) => rates.estimate(name, "third", startMs).samples)).toEqual([41, 1, 1, 0]);
});

test("sums kept beside the buckets are those of the answers in the window, whatever the clock does", () => {
  const step = fc.record({ afterMs: fc.nat(2_500), isApproved: fc.boolean(), segment: fc.constantFrom("visa", "amex") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rates = make();
      const told: { bucket: number; segment: string; isApproved: boolean }[] = [];
      let nowMs = startMs;
      for (const { afterMs, isApproved, segment } of steps) {
        nowMs += afterMs;
        rates.record(answer(isApproved, "alpha", segment), nowMs);
        told.push({ bucket: Math.floor(nowMs / 1_000), segment, isApproved });
        const recent = told.filter(({ bucket }) => bucket > Math.floor(nowMs / 1_000) - 4);
        const own = recent.filter((one) => one.segment === segment);
        const approved = (among: typeof told) => among.filter((one) => one.isApproved).length;
        const overall = (approved(recent) + 8) / (recent.length + 10);
        const expected = Math.round(((approved(own) + 10 * overall) / (own.length + 10)) * 10_000);
        expect(rates.estimate("alpha", segment, nowMs)).toEqual({ rateBps: expected, samples: own.length });
      }
    }),
  );
});
