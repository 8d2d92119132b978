import { randomUUID } from "node:crypto";
import { idToHex } from "@florin/kernel";
import { connectRedis } from "@florin/runtime/redis";
import { testRedis } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { authorizeExisting, createOrAuthorize } from "../src/app/authorize-payment.ts";
import { capturePayment, refundPayment } from "../src/app/move-money.ts";
import type { KeyUse } from "../src/store/claims.ts";
import { paymentToWire } from "../src/wire.ts";
import { outcomes } from "./processor-double.ts";
import { authorized, codeOf, createCommand, keyed, newCaller, openStage, paymentOf, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.processor.reset();
  stage.vault.isAway = false;
  stage.clock.aheadMs = 0;
  stage.clock.wallAheadMs = 0;
});

const rowsOf = async (merchantId: string) => {
  const [row] = await stage.sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM payment_events WHERE merchant_id = ${idToHex(merchantId)}::uuid AND seq = 1`;
  return row?.count;
};

describe("one key", () => {
  test("2,000 calls at once with one key reach the processor once, and every answer is the same payment or in flight", async () => {
    const command = createCommand();
    const answers = await Promise.all(Array.from({ length: 2_000 }, () => createOrAuthorize(stage.parts, command)));
    expect(stage.processor.calls.authorize).toBe(1);
    expect(answers.filter((answer) => answer.kind === "done")).toHaveLength(1);
    const later = await createOrAuthorize(stage.parts, command);
    const decided = [...answers.filter((answer) => answer.kind !== "in_flight"), later].map(paymentOf);
    expect(new Set(decided.map((payment) => JSON.stringify(paymentToWire(payment), bigints))).size).toBe(1);
    expect(await rowsOf(command.caller.merchantId)).toBe(1);
  });

  test("500 calls at once without Redis, over two replicas, reach the processor once", async () => {
    const replicas = await Promise.all([stage.replica({ withRedis: false }), stage.replica({ withRedis: false })]);
    const command = createCommand();
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, index) => createOrAuthorize(replicas[index % 2] as (typeof replicas)[0], command)),
    );
    expect(stage.processor.calls.authorize).toBe(1);
    expect(answers.filter((answer) => answer.kind === "done")).toHaveLength(1);
    expect(await rowsOf(command.caller.merchantId)).toBe(1);
    expect(paymentOf(await createOrAuthorize(stage.parts, command)).idempotencyDegraded).toBe(true);
  });

  test("a replay is the stored answer, whatever happened to the payment since", async () => {
    const command = createCommand();
    const first = await createOrAuthorize(stage.parts, command);
    const { caller } = command;
    await capturePayment(stage.parts, { caller, ...keyed(), paymentId: paymentOf(first).id, amount: undefined });
    for (const parts of [stage.parts, await stage.replica({ withRedis: false })]) {
      const replay = await createOrAuthorize(parts, command);
      expect(replay).toEqual({ ...first, kind: "replayed" });
    }
  });

  test("a decline is replayed as a decline, also without Redis", async () => {
    stage.processor.behave = () => ({ told: outcomes.declined });
    const command = createCommand();
    const first = await createOrAuthorize(stage.parts, command);
    expect(codeOf(first)).toBe("card_declined");
    stage.processor.reset();
    for (const parts of [stage.parts, await stage.replica({ withRedis: false })])
      expect(await createOrAuthorize(parts, command)).toEqual({ ...first, kind: "replayed" });
    expect(stage.processor.calls.authorize).toBe(0);
  });

  test("a refusal decided before any intent is not stored: the key is free again", async () => {
    const { payment, caller } = await authorized(stage.parts);
    const command = { caller, ...keyed(), paymentId: payment.id };
    expect(codeOf(await refundPayment(stage.parts, { ...command, amount: 1n, reason: "early" }))).toBe("payment_state_invalid");
    await capturePayment(stage.parts, { caller, ...keyed(), paymentId: payment.id, amount: undefined });
    expect((await refundPayment(stage.parts, { ...command, amount: 1n, reason: "early" })).kind).toBe("done");
  });

  test("the same key with other parameters is refused, by Redis and by the database", async () => {
    const command = createCommand();
    await createOrAuthorize(stage.parts, command);
    const other = { ...command, payment: { ...command.payment, amount: 10_001n } };
    for (const parts of [stage.parts, await stage.replica({ withRedis: false })])
      expect(codeOf(await createOrAuthorize(parts, other))).toBe("idempotency_key_reuse");
    expect(stage.processor.calls.authorize).toBe(1);
  });

  test("another merchant's key of the same name, and the same key in live mode, are other keys", async () => {
    const key = randomUUID();
    const caller = newCaller();
    for (const someone of [caller, newCaller(), { ...caller, mode: "live" as const }])
      expect((await createOrAuthorize(stage.parts, createCommand({ key, caller: someone }))).kind).toBe("done");
    expect(stage.processor.books.size).toBe(3);
  });

  test("a replay is answered although the vault is away or has forgotten the token", async () => {
    const parts = await stage.replica();
    stage.vault.fingerprints.set("tok_passing", "a".repeat(32));
    const command = createCommand({ token: "tok_passing" });
    const first = await createOrAuthorize(parts, command);
    const fresh = await stage.replica();
    stage.vault.fingerprints.delete("tok_passing");
    expect(await createOrAuthorize(fresh, command)).toEqual({ ...first, kind: "replayed" });
    stage.vault.isAway = true;
    expect(await createOrAuthorize(fresh, command)).toEqual({ ...first, kind: "replayed" });
    await expect(createOrAuthorize(fresh, createCommand({ token: "tok_new" }))).rejects.toMatchObject({ work: "not_done" });
  });
});

describe("Redis forgets or leaves", () => {
  test("emptied between two calls, the second is answered from the log", async (context) => {
    if (stage.redisServer === undefined) return context.skip();
    const command = createCommand();
    const first = await createOrAuthorize(stage.parts, command);
    await emptied(stage.redisServer.url);
    expect(await createOrAuthorize(stage.parts, command)).toEqual({ ...first, kind: "replayed" });
    expect(stage.processor.calls.authorize).toBe(1);
  });

  test("emptied, a call with other parameters does not take the key from its owner", async (context) => {
    if (stage.redisServer === undefined) return context.skip();
    const command = createCommand();
    const first = await createOrAuthorize(stage.parts, command);
    await emptied(stage.redisServer.url);
    const other = { ...command, payment: { ...command.payment, amount: 1n } };
    expect(codeOf(await createOrAuthorize(stage.parts, other))).toBe("idempotency_key_reuse");
    expect(await createOrAuthorize(stage.parts, command)).toEqual({ ...first, kind: "replayed" });
  });

  test("emptied while 200 calls with one key run, there is one charge", async (context) => {
    const { redisServer } = stage;
    if (redisServer === undefined) return context.skip();
    stage.processor.behave = async () => {
      await emptied(redisServer.url);
      return { told: outcomes.approved };
    };
    const command = createCommand();
    const calls = Array.from({ length: 200 }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, index / 4));
      return createOrAuthorize(stage.parts, command);
    });
    await Promise.all(calls);
    expect(stage.processor.calls.authorize).toBe(1);
  });

  test("gone in the middle of the day, payments go on and are marked; back again, they are not", async (context) => {
    const first = await testRedis();
    if (first === undefined) return context.skip();
    const redis = connectRedis({ url: first.url, name: "test", commandTimeoutMs: 200 });
    const { createClaims } = await import("../src/store/claims.ts");
    const parts = {
      ...stage.parts,
      claims: createClaims({ redis, metrics: stage.parts.metrics, now: stage.parts.now, timing: stage.parts.timing }),
    };
    await expect.poll(() => parts.claims.isAvailable).toBe(true);
    expect((await authorized(parts)).payment.idempotencyDegraded).toBe(false);
    await first.stop("SIGKILL");
    const without = createCommand();
    const done = await createOrAuthorize(parts, without);
    expect(paymentOf(done).idempotencyDegraded).toBe(true);
    expect(await createOrAuthorize(parts, without)).toEqual({ ...done, kind: "replayed" });
    const second = await testRedis({ port: first.port });
    await expect.poll(() => parts.claims.isAvailable, { timeout: 5_000 }).toBe(true);
    // A call that it has forgotten may still be under way.
    expect((await authorized(parts)).payment.idempotencyDegraded).toBe(true);
    stage.clock.aheadMs = 31_000;
    expect((await authorized(parts)).payment.idempotencyDegraded).toBe(false);
    redis.disconnect();
    await second?.stop();
  });
});

describe("an outcome that nobody knows", () => {
  const use = ({ caller, idempotencyKey }: ReturnType<typeof createCommand>): Omit<KeyUse, "requestHash"> => ({
    merchantId: caller.merchantId,
    mode: caller.mode,
    key: idempotencyKey,
  });

  test("is answered as in flight with the payment, and is not sent again", async () => {
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    const command = createCommand();
    const first = await createOrAuthorize(stage.parts, command);
    expect(first.kind).toBe("in_flight");
    expect(paymentOf(first).status).toBe("processing");
    expect((await createOrAuthorize(stage.parts, command)).kind).toBe("in_flight");
    expect(stage.processor.calls.authorize).toBe(1);
    expect((await stage.parts.reader.key(use(command)))?.answer).toBeUndefined();
  });

  test("is asked about with our reference once the key is stale, and the answer is stored", async () => {
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    const command = createCommand();
    await createOrAuthorize(stage.parts, command);
    stage.clock.aheadMs = 31_000;
    const answers = await Promise.all(Array.from({ length: 50 }, () => createOrAuthorize(stage.parts, command)));
    for (const answer of answers) expect(["replayed", "in_flight"]).toContain(answer.kind);
    const answer = await createOrAuthorize(stage.parts, command);
    expect(answer.kind).toBe("replayed");
    expect(paymentOf(answer).status).toBe("authorized");
    expect([stage.processor.calls.authorize, stage.processor.calls.query]).toEqual([1, 1]);
  });

  test("that never reached the processor ends as a decline, but not while it may still be on its way", async () => {
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: "nothing" });
    const command = createCommand();
    await createOrAuthorize(stage.parts, command);
    const { resolveOperation } = await import("../src/app/resolve-operation.ts");
    const stored = await stage.parts.reader.key(use(command));
    const which = { id: stored?.paymentId ?? "", merchantId: command.caller.merchantId };
    expect((await resolveOperation(stage.parts, which, () => true)).answer).toBeUndefined();
    stage.clock.aheadMs = 31_000;
    const answer = await createOrAuthorize(stage.parts, command);
    expect([answer.kind, codeOf(answer), paymentOf(answer).status]).toEqual(["replayed", "card_declined", "declined"]);
  });

  test("stays in flight while the processor cannot say, and a late approval is taken", async () => {
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.unknown });
    const command = createCommand();
    await createOrAuthorize(stage.parts, command);
    stage.clock.aheadMs = 31_000;
    expect((await createOrAuthorize(stage.parts, command)).kind).toBe("in_flight");
    stage.processor.answerQuery = undefined;
    expect(paymentOf(await createOrAuthorize(stage.parts, command)).status).toBe("authorized");
  });

  test("a query that was not sent says nothing about the operation", async () => {
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    stage.processor.answerQuery = () => ({ found: true, outcome: outcomes.notSent });
    const command = createCommand();
    await createOrAuthorize(stage.parts, command);
    stage.clock.aheadMs = 31_000;
    const answer = await createOrAuthorize(stage.parts, command);
    expect([answer.kind, paymentOf(answer).status]).toEqual(["in_flight", "processing"]);
  });

  test("an intent whose process died before it sent ends by asking, never by sending", async () => {
    const command = createCommand();
    const dying = {
      ...stage.parts,
      crashAt: (point: string) => {
        if (point === "after_intent_commit") throw new Error("crashed");
      },
    };
    await expect(createOrAuthorize(dying, command)).rejects.toThrow("crashed");
    expect((await createOrAuthorize(stage.parts, command)).kind).toBe("in_flight");
    stage.clock.aheadMs = 31_000;
    const answer = await createOrAuthorize(stage.parts, command);
    expect([answer.kind, paymentOf(answer).status]).toEqual(["replayed", "declined"]);
    expect(stage.processor.calls.authorize).toBe(0);
  });

  test("a process that died after it claimed leaves a key that is free again after its lease", async (context) => {
    if (stage.redisServer === undefined) return context.skip();
    const command = createCommand();
    const dying = {
      ...stage.parts,
      crashAt: (point: string) => {
        if (point === "after_claim") throw new Error("crashed");
      },
    };
    await expect(createOrAuthorize(dying, command)).rejects.toThrow("crashed");
    expect((await createOrAuthorize(stage.parts, command)).kind).toBe("in_flight");
    stage.clock.aheadMs = 31_000;
    expect((await createOrAuthorize(stage.parts, command)).kind).toBe("done");
  });

  test("a claim written by a clock that was an hour ahead does not lock its key for that hour", async (context) => {
    if (stage.redisServer === undefined) return context.skip();
    const command = createCommand();
    const dying = {
      ...stage.parts,
      crashAt: (point: string) => {
        if (point === "after_claim") throw new Error("crashed");
      },
    };
    stage.clock.wallAheadMs = 3_600_000;
    await expect(createOrAuthorize(dying, command)).rejects.toThrow("crashed");
    stage.clock.wallAheadMs = 0;
    expect((await createOrAuthorize(stage.parts, command)).kind).toBe("done");
  });

  test("a stale key that Redis forgot is asked about without waiting for itself", async (context) => {
    if (stage.redisServer === undefined) return context.skip();
    const { payment, caller } = await authorized(stage.parts);
    stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    const command = { caller, ...keyed(), paymentId: payment.id, amount: undefined };
    expect((await capturePayment(stage.parts, command)).kind).toBe("in_flight");
    await emptied(stage.redisServer.url);
    stage.clock.aheadMs = 31_000;
    // Claimed as new, refused because nothing remains to be captured, and then the log knows the key.
    const answer = await capturePayment(stage.parts, command);
    expect([answer.kind, paymentOf(answer).captured]).toEqual(["replayed", payment.amount]);
  });

  test("a surely unsent attempt is a decline of its own, and the next attempt may follow", async () => {
    stage.processor.behave = () => ({ told: outcomes.notSent });
    const command = createCommand();
    const first = await createOrAuthorize(stage.parts, command);
    expect(codeOf(first)).toBe("processor_unavailable");
    stage.processor.reset();
    const { caller } = command;
    const again = await authorizeExisting(stage.parts, {
      caller,
      ...keyed(),
      paymentId: paymentOf(first).id,
      attempt: { token: "tok_visa_4242", customerIp: "" },
    });
    expect(paymentOf(again).status).toBe("authorized");
  });
});

async function emptied(url: string): Promise<void> {
  const redis = connectRedis({ url, name: "emptier", commandTimeoutMs: 1_000 });
  await expect.poll(() => redis.status).toBe("ready");
  await redis.flushall();
  redis.disconnect();
}

function bigints(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
