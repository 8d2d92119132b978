import { AppError } from "@florin/kernel";
import { createLogger } from "@florin/runtime/telemetry";
import { expect, test } from "vitest";
import type { Access } from "../store/access-log.ts";
import { createAccessLog } from "./access-log.ts";

const logger = createLogger({ service: "test", level: "silent" });
const access = (number: number, atMs = Date.now()): Access => ({
  atMs,
  merchantId: "mer_00000000000000000000000000",
  token: `tok_${number}`,
  caller: "connectors",
  purpose: "authorize",
  paymentId: "pay_00000000000000000000000000",
  actor: "",
  outcome: "opened",
});

/** A store that remembers what it was told to write; fails the first `failures` times. */
function fakeStore(failures = 0) {
  const batches: { firstSeq: number; tokens: string[] }[] = [];
  let calls = 0;
  return {
    batches,
    async append(_writer: string, firstSeq: number, accesses: readonly Access[]) {
      calls += 1;
      if (calls <= failures) throw new AppError("unavailable", "away", { work: "unknown" });
      batches.push({ firstSeq, tokens: accesses.map(({ token }) => token) });
    },
  };
}

test("records of one moment share a batch, and numbers run on without a gap", async () => {
  const store = fakeStore();
  const log = createAccessLog({ store, writerId: "w", logger, paceMs: 5 });
  for (const number of [1, 2, 3]) log.take(access(number));
  await log.settled();
  log.take(access(4));
  await log.settled();
  expect(store.batches).toEqual([
    { firstSeq: 1, tokens: ["tok_1", "tok_2", "tok_3"] },
    { firstSeq: 4, tokens: ["tok_4"] },
  ]);
  await log.close(1_000);
});

test("a batch that failed is written again as it was; what came meanwhile follows", async () => {
  const store = fakeStore(2);
  const log = createAccessLog({ store, writerId: "w", logger, paceMs: 0 });
  log.take(access(1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  log.take(access(2));
  await log.settled();
  expect(store.batches).toEqual([
    { firstSeq: 1, tokens: ["tok_1"] },
    { firstSeq: 2, tokens: ["tok_2"] },
  ]);
  expect(log.depth).toBe(0);
  await log.close(1_000);
});

test("closing writes everything that was taken, without waiting for the pace", async () => {
  const store = fakeStore();
  const log = createAccessLog({ store, writerId: "w", logger, paceMs: 60_000 });
  log.take(access(1));
  await log.settled();
  for (const number of [2, 3]) log.take(access(number));
  await log.close(1_000);
  expect(store.batches.flatMap(({ tokens }) => tokens)).toEqual(["tok_1", "tok_2", "tok_3"]);
  expect(() => log.take(access(4))).toThrow(expect.objectContaining({ code: "unavailable", work: "not_done" }));
});

test("closing says so when records are left", async () => {
  const log = createAccessLog({ store: fakeStore(1_000), writerId: "w", logger, paceMs: 0 });
  log.take(access(1));
  await expect(log.close(100)).rejects.toThrow("1 access records could not be written");
});

test("while records cannot be written, none is taken: too many, or too old", async () => {
  const log = createAccessLog({ store: fakeStore(1_000), writerId: "w", logger, paceMs: 0, queueDepthMax: 2 });
  log.take(access(1));
  log.take(access(2));
  expect(log.isHealthy()).toBe(false);
  expect(() => log.take(access(3))).toThrow(expect.objectContaining({ code: "overloaded", work: "not_done" }));
  await log.close(10).catch(() => {});

  const late = createAccessLog({ store: fakeStore(1_000), writerId: "w", logger, paceMs: 0, delayMsMax: 50 });
  late.take(access(1, Date.now() - 51));
  expect(late.isHealthy()).toBe(false);
  expect(() => late.take(access(2))).toThrow(expect.objectContaining({ code: "unavailable", work: "not_done" }));
  await late.close(10).catch(() => {});
});
