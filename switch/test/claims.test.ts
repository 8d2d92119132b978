import { setTimeout as sleep } from "node:timers/promises";
import { required } from "@florin/kernel";
import { connectRedis } from "@florin/runtime/redis";
import { type TestRedis, testRedis, untilTrue } from "@florin/runtime/testing";
import { afterAll, describe } from "vitest";
import { createClaims } from "../src/store/claims.ts";
import { testClaims } from "../src/store/claims-conformance.ts";
import { telemetry } from "./stage.ts";

const nowMs = Date.UTC(2026, 0, 1);
const server: TestRedis | undefined = await testRedis();
let disconnect: (() => void) | undefined;
afterAll(async () => {
  disconnect?.();
  await server?.stop();
});

describe.skipIf(server === undefined)("with a redis-server", () => {
  testClaims("in Redis", async () => {
    const redis = connectRedis({ url: required(server, "a redis-server").url, name: "claims", commandTimeoutMs: 1_000 });
    disconnect = () => redis.disconnect();
    const claims = createClaims({ redis, metrics: telemetry.metrics, now: () => nowMs });
    await untilTrue(() => claims.isAvailable, 5_000);
    return { claims, nowMs, pass: (delayMs) => sleep(delayMs) };
  });
});
