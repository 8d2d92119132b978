import { expect, test } from "vitest";
import { usualLimits } from "../domain/limits/index.ts";
import { defaultSettings } from "../domain/settings/index.ts";
import { sampleBuiltIn } from "../domain/settings/samples.ts";
import { liveLimits } from "./live-limits.ts";

test("a version that leaves the numbers as they are starts nothing anew, and one number that differs is there at the next call", () => {
  let settings = defaultSettings(sampleBuiltIn);
  const limits = liveLimits(() => settings);
  const before = [limits.circuits(), limits.retries(), limits.calls()];
  settings = defaultSettings({ ...sampleBuiltIn, circuits: { ...usualLimits.circuits } });
  expect([limits.circuits(), limits.retries(), limits.calls()]).toEqual(before);
  expect(limits.circuits()).toBe(before[0]);
  settings = defaultSettings({ ...sampleBuiltIn, circuits: { ...usualLimits.circuits, openMs: 7_000 } });
  expect(limits.circuits()).toEqual({ ...before[0], openMs: 7_000 });
  expect([limits.retries(), limits.calls()].map((one, index) => one === before[index + 1])).toEqual([true, true]);
});

test("percents are shares, and every number of the settings reaches who keeps it", () => {
  const { circuits, retries, calls } = liveLimits(() => defaultSettings(sampleBuiltIn));
  expect(circuits()).toEqual({
    ...{ failureShare: 0.5, volumeMin: 20, windowMs: 2_000, slowAfterMs: 1_500, failuresInRow: 5 },
    ...{ openMs: 1_000, openMsMax: 30_000, refusalsMin: 5, probesMax: 3 },
  });
  expect(retries()).toEqual({ share: 0.1, savedMax: 256, perSecondMin: 10 });
  expect(calls()).toEqual({
    inFlightMax: 8_192,
    classes: {
      read: { ceiling: 0.6, ownMax: 0.4 },
      capture: { ceiling: 0.75, ownMax: 0.4 },
      refund: { ceiling: 0.9, ownMax: 0.4 },
      authorize: { ceiling: 1, ownMax: 1 },
    },
    merchantShareOfFree: 4,
    retryAfterMs: 1_000,
  });
});
