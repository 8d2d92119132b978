/**
 * What a crash leaves behind at each named point, and that another replica and the follow-up worker make good of it: at most one charge,
 * a payment that is decided, and the same answer for ever.
 */
import { toBinary } from "@bufbuild/protobuf";
import { Disposition, Mode, OperationResultSchema, PaymentSchema, PaymentService } from "@florin/gen/payments/v1/payments";
import { idToHex } from "@florin/kernel";
import { connectRedis } from "@florin/runtime/redis";
import { connectUnary } from "@florin/runtime/rpc";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createOrAuthorize } from "../src/app/authorize-payment.ts";
import type { CrashPoint } from "../src/app/crash-point.ts";
import { capturePayment, refundPayment, voidPayment } from "../src/app/move-money.ts";
import type { OperationAnswer } from "../src/app/operation.ts";
import type { Parts } from "../src/app/parts.ts";
import { crashPoints } from "../src/config.ts";
import { createLogTail } from "../src/store/log-tail.ts";
import { createOpenOperations } from "../src/store/open-operations.ts";
import { createWorkerCheckpoints } from "../src/store/worker-checkpoints.ts";
import { paymentToWire } from "../src/wire.ts";
import { startRounds } from "../src/workers/follow-up-operations.ts";
import { type Kind, outcomes } from "./processor-double.ts";
import { authorized, createCommand, keyed, logger, openStage, paymentOf, type Stage } from "./stage.ts";
import { type SwitchProcess, startSwitch } from "./switch-process.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());
afterEach(() => {
  stage.processor.reset();
  stage.clock.aheadMs = 0;
});

/** Lets the lease of what lies open run out, by the stage's clock, and the follow-up worker do its rounds. */
async function followUp(): Promise<void> {
  const rounds = await startRounds({
    parts: stage.parts,
    tail: createLogTail(stage.sql),
    operations: createOpenOperations(stage.sql),
    checkpoints: createWorkerCheckpoints(stage.sql),
    logger,
  });
  // Found, leased out, due, asked: a few rounds more do no harm.
  for (let round = 0; round < 6; round++) {
    await rounds.next();
    stage.clock.aheadMs += 16_000;
  }
  await rounds.keep();
}

/** One processor goes nowhere else; where there are two has a test of its own. */
const ofOneProcessor = crashPoints.filter((point) => point !== "after_reroute_commit");

const eventTypes = async (merchantId: string) =>
  (
    await stage.sql<{ type: string }[]>`
      SELECT type FROM payment_events WHERE merchant_id = ${idToHex(merchantId)}::uuid ORDER BY position`
  ).map(({ type }) => type);
const keyRows = async (key: string) => (await stage.sql`SELECT FROM idempotency_keys WHERE key = ${key}`).length;

/** What the cache holds of a key: p for a claim, d for an answer. */
async function remembered(key: string): Promise<string> {
  const redis = connectRedis({ url: stage.redisServer?.url ?? "", name: "test", commandTimeoutMs: 1_000 });
  await expect.poll(() => redis.status).toBe("ready");
  const [name = ""] = await redis.keys(`*${key}`);
  const value = name === "" ? "" : await redis.get(name);
  redis.disconnect();
  return value?.charAt(0) ?? "";
}

const bytesOf = (answer: OperationAnswer) => Buffer.from(toBinary(PaymentSchema, paymentToWire(paymentOf(answer)))).toString("hex");

describe("a switch killed at", () => {
  let survivor: SwitchProcess;
  beforeAll(async () => {
    survivor = await startSwitch(stage);
  });
  afterAll(async () => {
    expect(await survivor.stop()).toEqual({ code: 0, signal: null });
  });

  type Left = { readonly keys: number; readonly events: readonly string[]; readonly charges: number; readonly cached: string };
  type Case = { readonly left: Left; readonly status: "authorized" | "declined"; readonly charges: number };
  const nothing: Left = { keys: 0, events: [], charges: 0, cached: "p" };
  const intent: Left = { keys: 1, events: ["authorization_requested"], charges: 0, cached: "p" };
  const charged: Left = { ...intent, charges: 1 };
  /** The answer is remembered behind the caller's back: a kill takes with it what has not left the process. */
  const recorded: Left = { ...charged, events: ["authorization_requested", "payment_authorized"] };
  const cases: Readonly<Record<(typeof ofOneProcessor)[number], Case>> = {
    after_claim: { left: nothing, status: "authorized", charges: 1 },
    // Surely not sent, but only the dead process knew: the processor is asked, and has never heard of it.
    after_intent_commit: { left: intent, status: "declined", charges: 0 },
    after_send: { left: charged, status: "authorized", charges: 1 },
    after_processor_answer: { left: charged, status: "authorized", charges: 1 },
    after_outcome_commit: { left: recorded, status: "authorized", charges: 1 },
    after_remember: { left: recorded, status: "authorized", charges: 1 },
    before_reply: { left: recorded, status: "authorized", charges: 1 },
  };

  test.for(ofOneProcessor)("%s leaves what it says, and the payment ends decided with one answer", async (crashPoint, context) => {
    if (stage.redisServer === undefined) return context.skip();
    const victim = await startSwitch(stage, { crashPoint });
    // Who is killed while it waits must not be answered first.
    if (crashPoint === "after_send") stage.processor.behave = async () => victim.ended.then(() => ({ told: outcomes.approved }));
    const command = createCommand();
    await expect(callOver(victim, command)).rejects.toMatchObject({ code: "peer_lost", work: "unknown" });
    expect(await victim.ended).toEqual({ code: null, signal: "SIGKILL" });
    const { left, status, charges } = cases[crashPoint];
    const { caller, idempotencyKey: key } = command;
    await expect.poll(() => stage.processor.books.size).toBe(left.charges);
    const found = { keys: await keyRows(key), events: await eventTypes(caller.merchantId), charges: stage.processor.calls.authorize };
    expect({ ...found, cached: await remembered(key) }).toEqual(left);

    // The cache says "under way" in every case. An outcome that was committed is answered at once all the same.
    const atOnce = await callOver(survivor, command);
    const isCommitted = left.events.length === 2;
    expect([atOnce.disposition, atOnce.retryAfterMs]).toEqual(isCommitted ? [Disposition.REPLAYED, 0] : [Disposition.IN_FLIGHT, 2_000]);
    await followUp();
    const settled = await createOrAuthorize(stage.parts, command);
    expect([settled.kind, paymentOf(settled).status]).toEqual([crashPoint === "after_claim" ? "done" : "replayed", status]);
    expect([stage.processor.books.size, stage.processor.calls.authorize]).toEqual([charges, charges]);

    const replays = [await callOver(survivor, command), await callOver(survivor, command)].map((result) => {
      expect(result.disposition).toBe(Disposition.REPLAYED);
      return Buffer.from(toBinary(OperationResultSchema, result)).toString("hex");
    });
    expect(new Set(replays).size).toBe(1);
    expect(replays[0]).toContain(bytesOf(settled));
    expect(bytesOf(await createOrAuthorize(await stage.replica({ withRedis: false }), command))).toBe(bytesOf(settled));
    expect(stage.processor.calls.authorize).toBe(charges);
  });

  test("after_reroute_commit leaves a second attempt that nobody sent: it is refused from then on, and the call is declined", async () => {
    stage.processor.behave = (_kind, _reference, connector) => ({
      told: connector === "simpay" ? outcomes.softDeclined : outcomes.approved,
    });
    const victim = await startSwitch(stage, { crashPoint: "after_reroute_commit", connectors: ["simpay", "other"] });
    const command = createCommand();
    const { merchantId } = command.caller;
    await expect(callOver(victim, command)).rejects.toMatchObject({ code: "peer_lost", work: "unknown" });
    expect(await victim.ended).toEqual({ code: null, signal: "SIGKILL" });
    expect(await eventTypes(merchantId)).toEqual(["authorization_requested", "authorization_rerouted"]);
    expect((await callOver(survivor, command)).disposition).toBe(Disposition.IN_FLIGHT);
    await followUp();
    const settled = await createOrAuthorize(stage.parts, command);
    expect([settled.kind, paymentOf(settled).status, paymentOf(settled).openOperations]).toEqual(["replayed", "declined", []]);
    const types = ["authorization_requested", "authorization_rerouted", "authorization_unknown", "authorization_reversed"];
    expect(await eventTypes(merchantId)).toEqual(types);
    expect([stage.processor.calls.authorize, [...stage.processor.reversed]]).toEqual([1, [paymentOf(settled).authorizationId]]);
    const replay = await callOver(survivor, command);
    expect([replay.disposition, replay.operationId]).toEqual([Disposition.REPLAYED, paymentOf(settled).authorizationId]);
  });
});

/** A call over the wire, as the edge makes it, on a connection of its own. */
async function callOver({ address }: SwitchProcess, { caller, idempotencyKey, payment, attempt }: ReturnType<typeof createCommand>) {
  const client = connectUnary(PaymentService, { address, tls: { kind: "off" }, logger });
  const { merchantId, origin } = caller;
  const request = {
    caller: { merchantId, mode: Mode.TEST, actor: origin.actor, requestId: origin.requestId },
    idempotencyKey,
    amount: payment.amount,
    currency: payment.currency,
    confirm: true,
    paymentMethod: { type: "card", token: attempt?.token ?? "" },
  };
  try {
    const { result } = await client.createPayment(request, { timeoutMs: 15_000 });
    if (result === undefined) throw new Error("an answer without a result");
    return result;
  } finally {
    await client.close();
  }
}

describe("a replica thrown away in the middle of a", () => {
  type Way = (parts: Parts, which: { caller: ReturnType<typeof createCommand>["caller"]; paymentId: string }) => Promise<OperationAnswer>;
  const { idempotencyKey } = keyed();
  const ways = {
    capture: (parts, which) => capturePayment(parts, { ...which, idempotencyKey, amount: 4_000n }),
    void: (parts, which) => voidPayment(parts, { ...which, idempotencyKey }),
    refund: (parts, which) => refundPayment(parts, { ...which, idempotencyKey, amount: 2_500n, reason: "damaged" }),
  } as const satisfies Partial<Record<Kind, Way>>;

  const rowsOf = (kind: keyof typeof ways) =>
    ofOneProcessor.map((point) => ({ kind, point, isSent: point !== "after_claim" && point !== "after_intent_commit" }));

  test.each([...rowsOf("capture"), ...rowsOf("void"), ...rowsOf("refund")])("$kind, $point: another ends it", async (o) => {
    const { kind, point, isSent } = o;
    const { payment, caller } = await authorized(stage.parts, { captureMode: kind === "refund" ? "automatic" : "manual" });
    const which = { caller, paymentId: payment.id };
    const dying = await stage.replica();
    const crashAt = (reached: CrashPoint) => {
      if (reached === point) throw new Error(`crashed at ${point}`);
    };
    await expect(ways[kind]({ ...dying, crashAt }, which)).rejects.toThrow(`crashed at ${point}`);
    await expect.poll(() => stage.processor.calls[kind]).toBe(isSent ? 1 : 0);

    await followUp();
    const settled = await ways[kind](stage.parts, which);
    // Nothing was written before the intent: there the operation runs only now. An intent that never left ends as refused.
    const isRefused = point === "after_intent_commit";
    expect([settled.kind, settled.kind !== "in_flight" && settled.refusal?.code]).toEqual([
      point === "after_claim" ? "done" : "replayed",
      isRefused ? `${kind}_declined` : undefined,
    ]);
    expect(stage.processor.calls[kind]).toBe(isRefused ? 0 : 1);
    const { captured, refunded, openOperations, status } = paymentOf(settled);
    const after = { capture: [4_000n, 0n], void: [0n, 0n], refund: [10_000n, 2_500n] }[kind];
    const before = [kind === "refund" ? 10_000n : 0n, 0n];
    expect([captured, refunded]).toEqual(isRefused ? before : after);
    expect([openOperations, status]).toEqual([[], isRefused ? payment.status : status]);
    const again = await ways[kind](await stage.replica({ withRedis: false }), which);
    expect([again.kind, bytesOf(again)]).toEqual(["replayed", bytesOf(settled)]);
  });
});

test("a switch in production with a crash point armed does not start", async () => {
  await expect(startSwitch(stage, { environment: "production", crashPoint: "before_reply" })).rejects.toThrow(
    "FLORIN_CRASH_POINT is before_reply, which is for sandboxes and tests only: refused in production",
  );
});
