import { createClaimsOver } from "@florin/switch/src/store/claims.ts";
import { testClaims } from "@florin/switch/src/store/claims-conformance.ts";
import { encodeTransitions } from "@florin/switch/src/store/event-body.ts";
import { testPaymentLog } from "@florin/switch/src/store/log-conformance.ts";
import { createLogTailOver } from "@florin/switch/src/store/log-tail.ts";
import { createBatchedLogWriter } from "@florin/switch/src/store/log-writer.ts";
import { afterAll } from "vitest";
import { Life } from "../engine/life.ts";
import { createWorld } from "../engine/world.ts";
import { createFaults } from "../faults.ts";
import { quietMetrics } from "../house/quiet.ts";
import { CacheServer, createCacheAccess } from "./cache.ts";
import { createLogAccess } from "./log-access.ts";
import { LogStore } from "./log-store.ts";

const world = createWorld(1);
const faults = createFaults(world);
faults.stop();
let hasEnded = false;
/** Keeps simulated time going while the suite waits for something. */
const tick = (): void => {
  world.schedule(1, tick);
};
tick();
const running = world.run({ isDone: () => hasEnded, askEveryMs: 1, untilMs: Number.POSITIVE_INFINITY });
afterAll(async () => {
  hasEnded = true;
  await running;
});

testPaymentLog("of the simulation", async () => {
  const store = new LogStore();
  const lives = [new Life(world, "a"), new Life(world, "b")] as const;
  const accesses = lives.map((life) => createLogAccess({ life, store, faults, weather: { isAway: false } }));
  const [access, other] = accesses as [(typeof accesses)[0], (typeof accesses)[0]];
  const writerOf = (of: typeof access, life: Life) =>
    createBatchedLogWriter({ insert: of.insert, metrics: quietMetrics, timing: life.timing });
  return {
    writers: [writerOf(access, lives[0]), writerOf(other, lives[1])],
    reader: access.reader,
    newTail: () => createLogTailOver(access.tailQueries),
    operations: access.openOperations,
    checkpoints: access.checkpoints,
    holds: access.holds,
    async hold(transition) {
      const [body] = encodeTransitions([transition]);
      if (!(body instanceof Uint8Array)) throw body ?? new Error("no body");
      const begun = store.begin([{ transition, claim: undefined, body }], []);
      if (begun.kind !== "begun") throw new Error(begun.kind);
      return { commit: async () => begun.transaction.commit(), rollBack: async () => begun.transaction.abort() };
    },
  };
});

testClaims("of the simulation", async () => {
  const life = new Life(world, "claims");
  const cache = createCacheAccess({ life, server: new CacheServer(world), faults });
  const nowMs = world.unixMs;
  return {
    claims: createClaimsOver({ cache, metrics: quietMetrics, now: () => nowMs, timing: life.timing }),
    nowMs,
    pass: (delayMs) => life.timing.sleep(delayMs),
  };
});
