/**
 * A part of the stack goes away in the middle of a storm of requests: Redis forgets everything, stops answering or dies, PostgreSQL dies and
 * comes back. Many keys, each asked for several times, on two replicas: one charge per key, and no success that is not in the log.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError, required } from "@florin/kernel";
import { connectRedis } from "@florin/runtime/redis";
import { type TestRedis, testRedis } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createOrAuthorize } from "../src/app/authorize-payment.ts";
import type { OperationAnswer } from "../src/app/operation.ts";
import type { Parts } from "../src/app/parts.ts";
import { createClaims } from "../src/store/claims.ts";
import { createPaymentLists } from "../src/store/payment-lists.ts";
import { outcomes } from "./processor-double.ts";
import { createCommand, openStage, paymentOf, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ withRedis: false });
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.processor.reset();
  stage.clock.aheadMs = 0;
});

const keysCount = 20;
const callsPerKey = 10;
type Command = ReturnType<typeof createCommand>;
type Told = { readonly command: Command; readonly answer: OperationAnswer | AppError };

/** 200 calls over 20 keys, spread over both replicas and some 150 ms. Faults are answers here. */
async function storm(replicas: readonly Parts[], commands: readonly Command[]): Promise<readonly Told[]> {
  const call = async (command: Command, index: number): Promise<Told> => {
    await sleep((index * 150) / (keysCount * callsPerKey));
    const parts = required(replicas[index % replicas.length], "replica");
    const answer = await createOrAuthorize(parts, command).catch((thrown: unknown) => {
      if (thrown instanceof AppError) return thrown;
      throw thrown;
    });
    return { command, answer };
  };
  const calls = Array.from({ length: callsPerKey }, () => commands).flat();
  return Promise.all(calls.map(call));
}

/** The processor takes a little while, so that something is always under way. */
function thinking(): void {
  stage.processor.behave = async () => {
    await sleep(10);
    return { told: outcomes.approved };
  };
}

const newCommands = () => Array.from({ length: keysCount }, () => createCommand());

type Final = { readonly id: string; readonly status: string };
const finalOf = (answer: OperationAnswer): Final => ({ id: paymentOf(answer).id, status: paymentOf(answer).status });

/** Asked again, each key has one decided payment, the one that any success spoke of; and it was charged once if it is authorized, else never. */
async function expectOneChargeEach(told: readonly Told[], commands: readonly Command[], parts: Parts): Promise<readonly Final[]> {
  const finals = new Map<string, Final>();
  for (const command of commands) {
    const answer = await createOrAuthorize(parts, command);
    expect(answer.kind).toBe("replayed");
    finals.set(command.idempotencyKey, finalOf(answer));
  }
  for (const { command, answer } of told) {
    if (answer instanceof AppError || answer.kind === "in_flight") continue;
    expect(finalOf(answer)).toEqual(finals.get(command.idempotencyKey));
  }
  const charged = [...finals.values()].filter(({ status }) => status === "authorized").length;
  expect([stage.processor.calls.authorize, stage.processor.books.size]).toEqual([charged, charged]);
  return [...finals.values()];
}

describe("Redis, in a storm,", () => {
  let redis: TestRedis | undefined;
  const closers: (() => void)[] = [];

  /** Two replicas with connections of their own to one Redis. */
  const replicas = async (): Promise<readonly [Parts, Parts]> => {
    const one = async () => {
      const client = connectRedis({ url: required(redis, "redis").url, name: "test", commandTimeoutMs: 200 });
      closers.push(() => client.disconnect());
      const parts = {
        ...(await stage.replica()),
        claims: createClaims({ redis: client, metrics: stage.parts.metrics, now: stage.parts.now, timing: stage.parts.timing }),
      };
      await expect.poll(() => parts.claims.isAvailable).toBe(true);
      return parts;
    };
    return Promise.all([one(), one()]);
  };

  type Outage = { readonly isForgotten: boolean; readonly happen: (server: TestRedis) => Promise<void> };
  const outages: Readonly<Record<string, Outage>> = {
    "forgets everything again and again": {
      isForgotten: true,
      async happen({ url }) {
        const client = connectRedis({ url, name: "emptier", commandTimeoutMs: 1_000 });
        await expect.poll(() => client.status).toBe("ready");
        for (let times = 0; times < 8; times++) {
          await client.flushall();
          await sleep(20);
        }
        client.disconnect();
      },
    },
    "stops answering and goes on": {
      isForgotten: false,
      async happen({ pid }) {
        await sleep(50);
        process.kill(pid, "SIGSTOP");
        await sleep(500);
        process.kill(pid, "SIGCONT");
      },
    },
    "dies and comes back empty": {
      isForgotten: true,
      async happen({ port, stop }) {
        await sleep(50);
        await stop("SIGKILL");
        redis = await testRedis({ port });
      },
    },
  };

  afterEach(async () => {
    for (const close of closers.splice(0)) close();
    await redis?.stop();
  });

  test.for(Object.keys(outages))("%s: one charge per key, and every answer is one", async (name, context) => {
    redis = await testRedis();
    if (redis === undefined) return context.skip();
    const both = await replicas();
    const commands = newCommands();
    thinking();
    const { isForgotten, happen } = required(outages[name], "outage");
    const [told] = await Promise.all([storm(both, commands), happen(redis)]);
    // All of the storm's keys had their intent before; the next one comes to a cache that does not know of calls before.
    const next = createCommand();
    const all = [...commands, next];
    await createOrAuthorize(both[0], next);
    for (const { answer } of told) {
      if (answer instanceof AppError) throw answer;
      expect(["done", "replayed", "in_flight"]).toContain(answer.kind);
    }
    expect(told.filter(({ answer }) => "kind" in answer && answer.kind === "done")).toHaveLength(keysCount);
    // What Redis holds of a claim whose answer it missed is believed no longer than a lease.
    stage.clock.aheadMs = 31_000;
    for (const parts of [both[0], stage.parts])
      for (const { status } of await expectOneChargeEach(told, all, parts)) expect(status).toBe("authorized");
    await expectListedWhenMarked(all, isForgotten ? next : undefined);
  });
});

/** Each merchant finds its payment on its list of such payments when it is marked. `marked` surely is. */
async function expectListedWhenMarked(commands: readonly Command[], marked: Command | undefined): Promise<void> {
  const lists = createPaymentLists(stage.sql);
  for (const command of commands) {
    const { id, idempotencyDegraded } = paymentOf(await createOrAuthorize(stage.parts, command));
    const { merchantId, mode } = command.caller;
    const { payments } = await lists.list({ merchantId, mode, limit: 10, cursor: "", isDegraded: true });
    expect(payments.map((payment) => payment.id)).toEqual(idempotencyDegraded ? [id] : []);
    if (command === marked) expect(idempotencyDegraded).toBe(true);
  }
}

describe("PostgreSQL dies in the middle of appends", () => {
  test("what was answered is in the log, what was not says so, and the service goes on by itself", async (context) => {
    const { crashDatabase } = stage;
    if (crashDatabase === undefined) return context.skip();
    const replicas = [await stage.replica(), await stage.replica()] as const;
    const commands = newCommands();
    // No answer of the processor is there before the server goes down, however long this process takes to see that it was asked.
    const goesDown = Promise.withResolvers<void>();
    stage.processor.behave = async () => {
      await goesDown.promise;
      return { told: outcomes.approved };
    };
    const storming = storm(replicas, commands);
    await expect.poll(() => stage.processor.calls.authorize, { interval: 1 }).toBeGreaterThan(0);
    const crash = crashDatabase();
    goesDown.resolve();
    await crash;
    const told = await storming;
    const faults = told.flatMap(({ answer }) => (answer instanceof AppError ? [answer] : []));
    expect(faults.length).toBeGreaterThan(0);
    for (const { code, work } of faults) {
      expect(["unavailable", "overloaded"]).toContain(code);
      expect(["not_done", "unknown"]).toContain(work);
    }
    // Each caller does as it was told and asks again with its key; an old connection may still have to notice its end.
    const askLater = (command: Command) => {
      stage.clock.aheadMs += 31_000;
      return kindOf(replicas[0], command);
    };
    for (const command of commands) await expect.poll(() => askLater(command), { timeout: 10_000 }).toMatch(/done|replayed/);
    // An intent that was committed while its writer was told nothing was never sent. That the processor does not know it is believed once
    // this replica has known of it for a lease; it ends as declined.
    for (const { status } of await expectOneChargeEach(told, commands, replicas[1])) expect(["authorized", "declined"]).toContain(status);
    expect((await createOrAuthorize(replicas[1], createCommand())).kind).toBe("done");
  });
});

const kindOf = async (parts: Parts, command: Command) => (await createOrAuthorize(parts, command)).kind;
