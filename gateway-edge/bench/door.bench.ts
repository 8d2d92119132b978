/**
 * Question: what do the door's own rules cost per call (rate limit of the key, look, place, limit that is searched for), and what does it cost to
 * say no, without HTTP around them?
 *
 * 64 calls under way, 100 keys of 20 merchants; the ruler is the same loop with nothing in it. One process, user + system CPU, medians of rounds; 15 s.
 *
 *   node gateway-edge/bench/door.bench.ts
 */

import { randomBytes } from "node:crypto";
import { makeId, required } from "@florin/kernel";
import { startTelemetry } from "@florin/runtime/telemetry";
import { createFrontDoor, type FrontDoorSettings } from "../src/app/front-door.ts";
import { createRateLimit } from "../src/app/rate-limit.ts";
import type { ApiKey } from "../src/domain/api-key.ts";

const callsPerRound = 200_000;
const rounds = 7;
const underWay = 64;
const keysMax = 100;
const merchantsMax = 20;

const { metrics } = startTelemetry({ service: "edge", otlpUrl: "", traceRatio: 0 });
const now = () => performance.now();
const settings: FrontDoorSettings = {
  inFlightMin: 4_096,
  inFlightMax: 4_096,
  ownTimeTargetMs: 60,
  ceilings: { read: 0.6, capture: 0.75, refund: 0.9, authorize: 1 },
  bulkheads: { read: 0.4, capture: 0.4, refund: 0.4, authorize: 1 },
  merchantShareOfFree: 4,
  retryAfterMs: 1_000,
  retryAfterMsMax: 30_000,
};
const door = createFrontDoor({ settings: () => settings, metrics, now });
const narrow = { ...settings, inFlightMin: 1, inFlightMax: 1 };
const full = createFrontDoor({ settings: () => narrow, metrics, now });
void full.within({ name: "authorizePayment", merchantId: "" }, () => new Promise(() => {}));
const rateLimit = createRateLimit({ rateOf: () => ({ burst: 1e9, perSecond: 1e9 }), turnMsMax: () => 120_000, now, metrics });
const merchants = Array.from({ length: merchantsMax }, () => makeId("merchant", Date.now(), randomBytes(10)));
const keys: readonly ApiKey[] = Array.from({ length: keysMax }, (_, index) => ({
  keyId: randomBytes(8).toString("hex"),
  merchantId: required(merchants[index % merchantsMax], "a merchant"),
  mode: "test",
  actor: "key:bench",
}));
const keyOf = (call: number): ApiKey => keys[call % keysMax] as ApiKey;

const subjects: Readonly<Record<string, (call: number) => Promise<unknown> | unknown>> = {
  nothing: () => Promise.resolve(),
  "rate limit and look": (call) => {
    const key = keyOf(call);
    rateLimit.take(key);
    door.look("authorizePayment", key.merchantId);
    return Promise.resolve();
  },
  "rate limit, look, place and limit": (call) => {
    const key = keyOf(call);
    rateLimit.take(key);
    door.look("authorizePayment", key.merchantId);
    return door.within({ name: "authorizePayment", merchantId: key.merchantId, processorMsOf: () => 20 }, () => Promise.resolve());
  },
  "a no": (call) => {
    const key = keyOf(call);
    rateLimit.take(key);
    try {
      full.look("authorizePayment", key.merchantId);
    } catch {
      return Promise.resolve();
    }
    throw new Error("there was room");
  },
};

const figures = new Map<string, number[]>(Object.keys(subjects).map((name) => [name, []]));
for (let round = 0; round <= rounds; round += 1)
  for (const [name, run] of Object.entries(subjects)) {
    const nanos = await drive(run);
    // The first round warms up.
    if (round > 0) figures.get(name)?.push(nanos);
  }
const nothing = median(figures.get("nothing") ?? []);
console.table(
  Object.fromEntries(
    [...figures].map(([name, values]) => [
      name,
      { "CPU-µs per call": ((median(values) - (name === "nothing" ? 0 : nothing)) / 1_000).toFixed(2) },
    ]),
  ),
);
process.exit();

async function drive(run: (call: number) => Promise<unknown> | unknown): Promise<number> {
  const before = process.cpuUsage();
  for (let call = 0; call < callsPerRound; call += underWay) {
    const batch: unknown[] = [];
    for (let one = 0; one < underWay; one += 1) batch.push(run(call + one));
    await Promise.all(batch);
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / callsPerRound;
}

function median(values: readonly number[]): number {
  return required([...values].sort((left, right) => left - right)[Math.floor(values.length / 2)], "a value");
}
