/** The limits that an edge keeps, whatever the switches say one after the other. */
import { createLogger } from "@florin/runtime/telemetry";
import { expect, test } from "vitest";
import { followLimits } from "./live-limits.ts";

/** What a replica of the switch works by. Burst: of every key. */
type Said = { readonly version: number; readonly burst: number };

const otherwise = { burst: 1, perSecond: 1 };
const before = { version: 8, burst: 800 };
const restored = { version: 5, burst: 500 };

/** Says all of it, one after the other; as the switch does, it leaves out the limits of a version that is known. */
async function hear(...said: readonly (Said | "away")[]) {
  const lines: { level: string; msg: string; settings_version: number; version_before?: number }[] = [];
  const bursts: number[] = [];
  const inFlight: (number | undefined)[] = [];
  const waiting = [...said];
  const { promise: allSaid, resolve: end } = Promise.withResolvers<void>();
  const limits = followLimits({
    async ask(knownVersion) {
      const next = waiting.shift();
      if (next === undefined || next === "away") throw new Error("away");
      const { version, burst } = next;
      const limits = { requestsPerKey: new Map([["default", { burst, perSecond: 1 }]]), calls: { inFlightMax: burst } };
      return { version, limits: version === knownVersion ? undefined : limits };
    },
    otherwise,
    metrics: { gauge: () => {} },
    logger: createLogger({ service: "edge", level: "info", write: (line) => void lines.push(JSON.parse(line)) }),
    timing: {
      async sleep(_delayMs, signal) {
        bursts.push(limits.rateOf("mer_any").burst);
        inFlight.push(limits.calls().inFlightMax);
        if (waiting.length > 0) return;
        end();
        await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));
      },
    },
  });
  await allSaid;
  await limits.stop();
  // One is exchanged with the other, as a whole.
  expect(inFlight).toEqual(bursts.map((burst) => (burst === otherwise.burst ? undefined : burst)));
  const told = lines.map((line) => [
    line.level,
    line.settings_version,
    ...(line.version_before === undefined ? [] : [line.version_before]),
  ]);
  return { bursts, told };
}

const times = <T>(count: number, one: T): readonly T[] => Array.from({ length: count }, () => one);

test("a replica of the switch that is behind changes nothing, however often it answers in between", async () => {
  const { bursts, told } = await hear(before, ...times(60, [restored, restored, restored, before]).flat());
  expect(new Set(bursts)).toEqual(new Set([before.burst]));
  expect(told).toEqual([["info", 8]]);
});

test("19 lower answers in a row are a replica that is behind, and a newer version ends the row", async () => {
  const newer = { version: 9, burst: 900 };
  const { bursts, told } = await hear(before, ...times(19, restored), newer, ...times(19, before));
  expect(bursts).toEqual([...times(20, before.burst), ...times(20, newer.burst)]);
  expect(told).toEqual([
    ["info", 8],
    ["info", 9],
  ]);
});

test("the limits of a switch whose database was set back hold after 20 lower answers, which is told once", async () => {
  const { bursts, told } = await hear(before, ...times(60, restored));
  expect(bursts).toEqual([...times(20, before.burst), ...times(41, restored.burst)]);
  expect(told).toEqual([
    ["info", 8],
    ["warn", 5, 8],
  ]);
});

test("from then on the house counts from the lower version, also while new ones are made", async () => {
  const next = (version: number) => ({ version, burst: version * 100 + 1 });
  const { bursts, told } = await hear(before, ...times(10, restored), ...times(10, next(6)), ...times(3, next(7)));
  expect(bursts.slice(-5)).toEqual([800, 601, 701, 701, 701]);
  expect(told).toEqual([
    ["info", 8],
    ["warn", 6, 8],
    ["info", 7],
  ]);
});

test("a replica that is behind the version that was set back to is waited for anew", async () => {
  const { bursts } = await hear(before, ...times(20, restored), ...times(19, { version: 4, burst: 400 }));
  expect(bursts.slice(-20)).toEqual(times(20, restored.burst));
});

test("a switch that is away in between is neither behind nor well", async () => {
  const { bursts } = await hear(before, ...times(10, restored), ...times(30, "away" as const), ...times(10, restored));
  expect(bursts.slice(-2)).toEqual([before.burst, restored.burst]);
});

test("a number that is given a second time, for other limits, is noticed within 20 questions and told once", async () => {
  const { bursts, told } = await hear(before, ...times(60, { ...before, burst: 801 }));
  expect(bursts).toEqual([...times(20, before.burst), ...times(41, 801)]);
  expect(told).toEqual([
    ["info", 8],
    ["warn", 8, 8],
  ]);
});
