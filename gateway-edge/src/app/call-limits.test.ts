import { expect, test } from "vitest";
import { type CallLimits, doorWithLimits } from "./call-limits.ts";
import type { FrontDoorSettings } from "./front-door.ts";

const started: FrontDoorSettings = {
  inFlightMin: 100,
  inFlightMax: 1_000,
  ownTimeTargetMs: 60,
  ceilings: { read: 0.6, capture: 0.75, refund: 0.9, authorize: 1 },
  bulkheads: { read: 0.4, capture: 0.4, refund: 0.4, authorize: 1 },
  merchantShareOfFree: 4,
  retryAfterMs: 1_000,
  retryAfterMsMax: 30_000,
};
const doorWith = (named: CallLimits, placesMax = 4_095) => doorWithLimits({ ...started, placesMax }, () => named)();

test("what nobody names is as the process was started with", () => expect(doorWith({})).toEqual(started));

test("every limit that is named holds", () => {
  const named = {
    ...{ inFlightMin: 10, inFlightMax: 20, ownTimeTargetMs: 30, merchantCallsPerFreeCall: 2, retryAfterMs: 3_000, retryAfterMsMax: 4_000 },
    ...{ readsCeilingPercent: 11, capturesCeilingPercent: 12, refundsCeilingPercent: 13 },
    ...{ readsBulkheadPercent: 14, capturesBulkheadPercent: 15, refundsBulkheadPercent: 16, authorizationsBulkheadPercent: 17 },
  };
  expect(doorWith(named)).toEqual({
    ...{ inFlightMin: 10, inFlightMax: 20, ownTimeTargetMs: 30, merchantShareOfFree: 2, retryAfterMs: 3_000, retryAfterMsMax: 4_000 },
    ceilings: { read: 0.11, capture: 0.12, refund: 0.13, authorize: 1 },
    bulkheads: { read: 0.14, capture: 0.15, refund: 0.16, authorize: 0.17 },
  });
});

test("one bound that is named and crosses the other moves it", () => {
  expect(doorWith({ inFlightMax: 7 })).toMatchObject({ inFlightMin: 7, inFlightMax: 7 });
  expect(doorWith({ inFlightMin: 2_000 })).toMatchObject({ inFlightMin: 1_000, inFlightMax: 1_000 });
  expect(doorWith({ retryAfterMs: 60_000 })).toMatchObject({ retryAfterMs: 60_000, retryAfterMsMax: 60_000 });
});

test("there are never more places than the link to the switch has, less one for asking after limits", () => {
  expect(doorWith({ inFlightMax: 20_000, inFlightMin: 5_000 })).toMatchObject({ inFlightMin: 4_095, inFlightMax: 4_095 });
  expect(doorWith({}, 500)).toMatchObject({ inFlightMin: 100, inFlightMax: 500 });
});

test("the door is the same object until other limits come", () => {
  let named: CallLimits = {};
  const door = doorWithLimits({ ...started, placesMax: 4_095 }, () => named);
  const before = door();
  expect(door()).toBe(before);
  named = { inFlightMax: 7 };
  expect(door().inFlightMax).toBe(7);
});
