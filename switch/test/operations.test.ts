import { makeId } from "@florin/kernel";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { authorizeExisting, createOrAuthorize } from "../src/app/authorize-payment.ts";
import { capturePayment, refundPayment, voidPayment } from "../src/app/move-money.ts";
import type { OperationAnswer } from "../src/app/operation.ts";
import type { Parts } from "../src/app/parts.ts";
import type { Payment } from "../src/domain/payment/index.ts";
import { createPaymentLists } from "../src/store/payment-lists.ts";
import { outcomes } from "./processor-double.ts";
import { authorized, codeOf, createCommand, generousLimits, keyed, newCaller, openStage, paymentOf, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.processor.reset();
  stage.clock.aheadMs = 0;
  stage.fraud.blocks = [];
  stage.fraud.limits = generousLimits;
});

describe("a payment's life", () => {
  test("is created, declined, tried again, captured in parts, and refunded in parts", async () => {
    const { parts, processor } = stage;
    const created = await createOrAuthorize(parts, createCommand({ confirm: false }));
    const { id, merchantId } = paymentOf(created);
    const caller = { ...newCaller(), merchantId };
    expect(paymentOf(created).status).toBe("created");
    const attempt = { token: "tok_visa_4242", customerIp: "203.0.113.7" };
    processor.behave = () => ({ told: outcomes.declined });
    const declined = await authorizeExisting(parts, { caller, ...keyed(), paymentId: id, attempt });
    expect([codeOf(declined), paymentOf(declined).status]).toEqual(["card_declined", "declined"]);
    processor.reset();
    const authorizedNow = await authorizeExisting(parts, { caller, ...keyed(), paymentId: id, attempt });
    expect(paymentOf(authorizedNow)).toMatchObject({ status: "authorized", attempts: 2, authorized: 10_000n });
    const part = await capturePayment(parts, { caller, ...keyed(), paymentId: id, amount: 4_000n });
    expect(paymentOf(part)).toMatchObject({ status: "partially_captured", captured: 4_000n });
    const rest = await capturePayment(parts, { caller, ...keyed(), paymentId: id, amount: undefined });
    expect(paymentOf(rest)).toMatchObject({ status: "captured", captured: 10_000n });
    processor.behave = () => ({ told: outcomes.accepted });
    const refunded = await refundPayment(parts, { caller, ...keyed(), paymentId: id, amount: 1_000n, reason: "late" });
    expect(paymentOf(refunded)).toMatchObject({ status: "partially_refunded", refunded: 1_000n, refunds: [{ status: "processing" }] });
    const tooMuch = await refundPayment(parts, { caller, ...keyed(), paymentId: id, amount: 9_001n, reason: "late" });
    expect(codeOf(tooMuch)).toBe("amount_too_large");
    const timeline = await createPaymentLists(stage.sql).timeline({ id, merchantId }, { afterSequence: 0, limit: 100 });
    expect(timeline.map(({ event }) => event.type)).toEqual([
      "payment_created",
      "authorization_requested",
      "authorization_declined",
      "authorization_requested",
      "payment_authorized",
      "capture_requested",
      "payment_captured",
      "capture_requested",
      "payment_captured",
      "refund_requested",
      "refund_accepted",
    ]);
    expect(timeline.map(({ event }) => event.sequence)).toEqual(timeline.map((_, index) => index + 1));
  });

  test("an automatic capture takes the money in one call to the processor", async () => {
    const answer = await createOrAuthorize(stage.parts, createCommand({ captureMode: "automatic" }));
    expect(paymentOf(answer)).toMatchObject({ status: "captured", captured: 10_000n });
    expect(stage.processor.calls).toMatchObject({ authorize: 1, capture: 0 });
  });

  test("a void releases the hold, and another merchant or mode finds no payment", async () => {
    const { payment, caller } = await authorized(stage.parts);
    for (const stranger of [newCaller(), { ...caller, mode: "live" as const }])
      expect(codeOf(await voidPayment(stage.parts, { caller: stranger, ...keyed(), paymentId: payment.id }))).toBe("payment_not_found");
    expect(paymentOf(await voidPayment(stage.parts, { caller, ...keyed(), paymentId: payment.id })).status).toBe("voided");
  });

  test("an unknown token and a reference used before are refused without a trace", async () => {
    expect(codeOf(await createOrAuthorize(stage.parts, createCommand({ token: "tok_none" })))).toBe("token_not_found");
    const caller = newCaller();
    const unique = { caller, merchantReference: "order-7", uniqueReference: true };
    expect((await createOrAuthorize(stage.parts, createCommand(unique))).kind).toBe("done");
    const again = createCommand(unique);
    expect(codeOf(await createOrAuthorize(stage.parts, again))).toBe("reference_not_unique");
    expect(codeOf(await createOrAuthorize(stage.parts, again))).toBe("reference_not_unique");
    expect(stage.processor.calls.authorize).toBe(1);
  });

  test("a replay of the call that took a unique reference is its answer, not a refusal", async () => {
    const command = createCommand({ merchantReference: "order-8", uniqueReference: true });
    const first = await createOrAuthorize(stage.parts, command);
    const replica = await stage.replica({ withRedis: false });
    expect(await createOrAuthorize(replica, command)).toEqual({ ...first, kind: "replayed" });
  });
});

describe("many at once on one payment", () => {
  type Storm = (parts: Parts, which: { caller: ReturnType<typeof newCaller>; paymentId: string }) => Promise<OperationAnswer>;
  const storms: readonly Storm[] = [
    (parts, which) => capturePayment(parts, { ...which, ...keyed(), amount: 700n }),
    (parts, which) => capturePayment(parts, { ...which, ...keyed(), amount: 300n }),
    (parts, which) => refundPayment(parts, { ...which, ...keyed(), amount: 250n, reason: "storm" }),
    (parts, which) => voidPayment(parts, { ...which, ...keyed() }),
  ];

  test("64 captures, refunds and voids over two replicas keep every sum", async () => {
    const replicas = [stage.parts, await stage.replica()] as const;
    for (let round = 0; round < 5; round++) {
      stage.processor.reset();
      const { payment, caller } = await authorized(stage.parts);
      stage.processor.behave = async (kind) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
        if (kind === "void" && round % 2 === 0) return { told: outcomes.declined };
        return { told: outcomes.approved };
      };
      const which = { caller, paymentId: payment.id };
      const calls = Array.from({ length: 64 }, async (_, index) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
        return (storms[index % 4] as Storm)(index % 2 === 0 ? replicas[0] : replicas[1], which);
      });
      const answers = await Promise.all(calls);
      for (const answer of answers) expect(["done"]).toContain(answer.kind);
      const final = (await stage.parts.reader.newest({ id: payment.id, merchantId: caller.merchantId })) as Payment;
      const booked = (kind: string) =>
        [...stage.processor.books.values()]
          .filter((one) => one.kind === kind && one.outcome.kind === outcomes.approved.kind)
          .reduce((sum, one) => sum + one.amount, 0n);
      expect([final.captured, final.refunded]).toEqual([booked("capture"), booked("refund")]);
      expect(final.captured + final.released).toBeLessThanOrEqual(final.authorized);
      expect(final.refunded).toBeLessThanOrEqual(final.captured);
      expect([final.capturePending, final.refundPending, final.openOperations.length]).toEqual([0n, 0n, 0]);
      const timeline = await createPaymentLists(stage.sql).timeline(
        { id: payment.id, merchantId: caller.merchantId },
        { afterSequence: 0, limit: 1_000 },
      );
      expect(timeline.map(({ event }) => event.sequence)).toEqual(timeline.map((_, index) => index + 1));
    }
  });

  test("64 captures of everything take the money once", async () => {
    const { payment, caller } = await authorized(stage.parts);
    const answers = await Promise.all(
      Array.from({ length: 64 }, () => capturePayment(stage.parts, { caller, ...keyed(), paymentId: payment.id, amount: undefined })),
    );
    expect(answers.filter((answer) => codeOf(answer) === undefined)).toHaveLength(1);
    expect(stage.processor.calls.capture).toBe(1);
  });
});

describe("fraud", () => {
  test("a blocked card, BIN or address is declined and never reaches the processor", async () => {
    const caller = newCaller();
    stage.fraud.blocks = [
      { kind: "ip", value: "203.0.113.9", merchantId: "" },
      { kind: "card_fingerprint", value: "e".repeat(32), merchantId: caller.merchantId },
    ];
    const command = createCommand({ caller, customerIp: "203.0.113.9" });
    const blocked = await createOrAuthorize(stage.parts, command);
    expect(paymentOf(blocked)).toMatchObject({
      status: "declined",
      fraudCheck: { riskLevel: "blocked", riskScore: 100, reasons: ["blocked_ip"] },
    });
    expect(codeOf(blocked)).toBe("card_declined");
    expect(await createOrAuthorize(stage.parts, command)).toEqual({ ...blocked, kind: "replayed" });
    expect(codeOf(await createOrAuthorize(stage.parts, createCommand({ caller, token: "tok_other" })))).toBe("card_declined");
    expect((await createOrAuthorize(stage.parts, createCommand({ token: "tok_other" }))).kind).toBe("done");
    expect(stage.processor.calls.authorize).toBe(1);
  });

  test.each([true, false])("velocity raises the risk and then blocks (Redis: %s)", async (withRedis) => {
    const parts = await stage.replica({ withRedis });
    stage.fraud.limits = { ...generousLimits, cardPerHour: { raisedFrom: 3, blockedFrom: 5 } };
    const caller = newCaller();
    const levels = [];
    for (let attempt = 0; attempt < 6; attempt++) {
      const command = createCommand({ caller });
      levels.push(paymentOf(await createOrAuthorize(parts, command)).fraudCheck?.riskLevel);
      // A replay is no attempt.
      await createOrAuthorize(parts, command);
    }
    expect(levels).toEqual(["low", "low", "elevated", "elevated", "blocked", "blocked"]);
    expect(stage.processor.calls.authorize).toBe(4);
  });

  test("a tier that overruns its budget or fails is left out, and the verdict says so", async () => {
    const { createFraudScreen } = await import("../src/app/fraud/screen.ts");
    const finding = { score: 50, isBlocked: false, reasons: ["slow"] };
    const fraud = createFraudScreen({
      tiers: [
        { name: "slow", budgetMs: 10, evaluate: () => new Promise((resolve) => setTimeout(() => resolve(finding), 500)) },
        { name: "broken", budgetMs: 10, evaluate: () => Promise.reject(new Error("broken")) },
        { name: "quick", budgetMs: 200, evaluate: async () => ({ ...finding, reasons: ["quick"] }) },
      ],
    });
    const answer = await createOrAuthorize({ ...stage.parts, fraud }, createCommand());
    expect(paymentOf(answer).fraudCheck).toEqual({
      riskScore: 50,
      riskLevel: "elevated",
      reasons: ["tier_left_out_slow", "tier_left_out_broken", "quick"],
    });
  });

  test("the block list is read from its table and read again", async () => {
    const { connectPostgres } = await import("@florin/runtime/postgres");
    const { startBlockList } = await import("../src/store/fraud-blocks.ts");
    const { logger } = await import("./stage.ts");
    const owner = connectPostgres({ url: stage.ownerUrl, name: "operator", connectionsMax: 1 });
    const list = startBlockList({ sql: stage.sql, logger });
    await owner`INSERT INTO fraud_blocks (kind, value, created_by) VALUES ('bin', '424242', 'operator')`;
    await list.refresh();
    expect(list.current().has({ kind: "bin", value: "424242", merchantId: "" })).toBe(true);
    await owner`DELETE FROM fraud_blocks`;
    await list.refresh();
    expect(list.current().size).toBe(0);
    list.stop();
    await owner.end();
  });
});

describe("the database goes away", () => {
  test("before the intent: nothing is sent, and the key is free again", async () => {
    const { AppError } = await import("@florin/kernel");
    const away = new AppError("unavailable", "away", { work: "not_done" });
    let isAway = true;
    const log = {
      ...stage.parts.log,
      append: (...words: Parameters<Parts["log"]["append"]>) => (isAway ? Promise.reject(away) : stage.parts.log.append(...words)),
    };
    const command = createCommand();
    await expect(createOrAuthorize({ ...stage.parts, log }, command)).rejects.toBe(away);
    expect(stage.processor.calls.authorize).toBe(0);
    isAway = false;
    expect((await createOrAuthorize({ ...stage.parts, log }, command)).kind).toBe("done");
  });

  test("after the processor has answered: the outcome is written once it is back", async () => {
    const { AppError } = await import("@florin/kernel");
    let appends = 0;
    const log = {
      ...stage.parts.log,
      append: async (...words: Parameters<Parts["log"]["append"]>) => {
        appends += 1;
        if (appends === 2) {
          // Written, and the news of it lost.
          await stage.parts.log.append(...words);
          throw new AppError("unavailable", "lost", { work: "unknown" });
        }
        if (appends === 3) throw new AppError("overloaded", "full", { work: "not_done" });
        return stage.parts.log.append(...words);
      },
    };
    const answer = await createOrAuthorize({ ...stage.parts, log }, createCommand());
    expect(paymentOf(answer)).toMatchObject({ status: "authorized", version: 2 });
    expect(stage.processor.calls.authorize).toBe(1);
  });

  test("with the intent's fate unknown, the claim stays and the next call asks the log", async () => {
    const { AppError } = await import("@florin/kernel");
    const log = {
      ...stage.parts.log,
      append: async (...words: Parameters<Parts["log"]["append"]>) => {
        await stage.parts.log.append(...words);
        throw new AppError("unavailable", "lost", { work: "unknown" });
      },
    };
    const command = createCommand();
    await expect(createOrAuthorize({ ...stage.parts, log }, command)).rejects.toMatchObject({ work: "unknown" });
    expect((await createOrAuthorize(stage.parts, command)).kind).toBe("in_flight");
    stage.clock.aheadMs = 31_000;
    // Never sent: the processor knows nothing of it, and the payment is declined.
    expect(paymentOf(await createOrAuthorize(stage.parts, command)).status).toBe("declined");
    expect(stage.processor.calls.authorize).toBe(0);
  });
});

test("ids of payments carry the time of their making", async () => {
  const { payment } = await authorized(stage.parts);
  const { idTimeMs } = await import("@florin/kernel");
  expect(Math.abs(idTimeMs(payment.id) - Date.now())).toBeLessThan(10_000);
  expect(makeId("payment", payment.createdAtMs, new Uint8Array(10)) <= payment.id).toBe(true);
});
