/** A payment that one processor does not take goes on to the next within one call: one key, one answer, at most one charge. */
import { randomBytes, randomUUID } from "node:crypto";
import { AppError, idToHex, makeId, required } from "@florin/kernel";
import { createCallBudget } from "@florin/runtime/resilience";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { authorizeExisting, createOrAuthorize } from "../src/app/authorize-payment.ts";
import { capturePayment } from "../src/app/move-money.ts";
import type { Parts } from "../src/app/parts.ts";
import { recordAnswer } from "../src/app/record-answer.ts";
import { resolveOperation } from "../src/app/resolve-operation.ts";
import { usualLimits } from "../src/domain/limits/index.ts";
import { recordAuthorization, type Transition } from "../src/domain/payment/index.ts";
import { defaultSettings } from "../src/domain/settings/index.ts";
import { forgetDeclines } from "../src/workers/forget-declines.ts";
import { outcomes, type WireOutcome } from "./processor-double.ts";
import { codeOf, createCommand, generousLimits, keyed, newCaller, openStage, paymentOf, type Stage } from "./stage.ts";

const ranked = ["simpay", "other", "third", "fourth"] as const;
/** A token of a real card; well-known test tokens are not counted. */
const card = { token: "tok_other" } as const;

let stage: Stage;
const sentTo: string[] = [];

beforeAll(async () => {
  stage = await openStage();
  stage.vault.lives.set(card.token, { createdAtMs: 1n });
  house(ranked);
});
afterAll(() => stage.stop());
afterEach(async () => {
  stage.processor.reset();
  stage.clock.aheadMs = 0;
  sentTo.length = 0;
  house(ranked);
});

function house(processors: readonly string[]): void {
  stage.house.settings = defaultSettings({ processors, velocity: generousLimits, ...usualLimits });
}

/** What each connector answers to authorizations; approval where nothing is said. */
function answers(by: Readonly<Record<string, WireOutcome>>): void {
  stage.processor.behave = (kind, _reference, connector) => {
    if (kind !== "authorize") return { told: outcomes.approved };
    sentTo.push(connector);
    return { told: by[connector] ?? outcomes.approved };
  };
}

const ourFault: WireOutcome = { kind: outcomes.notSent.kind, cause: "vault_unavailable" };
const rowsOf = ({ id, merchantId }: { readonly id: string; readonly merchantId: string }): Promise<readonly Transition[]> =>
  stage.parts.reader.timeline({ id, merchantId }, { afterSequence: 0, limit: 100 });
const declinesOf = async (merchantId: string): Promise<number> =>
  (await stage.sql`SELECT FROM card_declines WHERE merchant_id = ${idToHex(merchantId)}::uuid`).length;
/** Replicas with circuits of their own: what one test opens stays closed for the next. */
const fresh = (): Promise<Parts> => stage.replica();

test("a processor that the house has taken out meanwhile is passed over", async () => {
  stage.processor.behave = (_kind, _reference, connector) => {
    sentTo.push(connector);
    house(["simpay", "third"]);
    return { told: connector === "simpay" ? outcomes.softDeclined : outcomes.approved };
  };
  expect(paymentOf(await createOrAuthorize(await fresh(), createCommand())).status).toBe("authorized");
  expect(sentTo).toEqual(["simpay", "third"]);
});

test("the full queue of one processor says nothing about the next", async () => {
  answers({ simpay: { kind: outcomes.notSent.kind, cause: "queue_full" } });
  expect(paymentOf(await createOrAuthorize(await fresh(), createCommand())).status).toBe("authorized");
  expect(sentTo).toEqual(["simpay", "other"]);
});

test("a processor that does not take our key is passed over, and nothing is held against the card", async () => {
  answers({ simpay: { kind: outcomes.notSent.kind, cause: "key_refused" } });
  const payment = paymentOf(await createOrAuthorize(await fresh(), createCommand()));
  expect(payment.status).toBe("authorized");
  expect(sentTo).toEqual(["simpay", "other"]);
  expect(await declinesOf(payment.merchantId)).toBe(0);
});

test("what issuers say by way of each processor is learned", async () => {
  answers({ simpay: outcomes.softDeclined });
  const parts = await fresh();
  const learned: (readonly [string, string])[] = [];
  const learn: Parts["router"]["learn"] = (_payment, processor, { kind }) => learned.push([processor, kind]);
  await createOrAuthorize({ ...parts, router: { ...parts.router, learn } }, createCommand());
  expect(learned).toEqual([
    ["simpay", "declined"],
    ["other", "approved"],
  ]);
});

describe("a soft decline", () => {
  test("goes on to the next processor under a reference of its own, and the caller hears one answer", async () => {
    answers({ simpay: outcomes.softDeclined });
    const parts = await fresh();
    const command = createCommand();
    const payment = paymentOf(await createOrAuthorize(parts, command));
    expect(payment).toMatchObject({ status: "authorized", attempts: 2, openOperations: [], processorResponse: { connector: "other" } });
    expect(sentTo).toEqual(["simpay", "other"]);
    const [requested, rerouted, authorized] = (await rowsOf(payment)).map(({ event }) => event);
    expect(requested).toMatchObject({ type: "authorization_requested", details: { connector: "simpay" } });
    expect(rerouted).toMatchObject({
      type: "authorization_rerouted",
      operationId: payment.authorizationId,
      details: {
        after: requested?.operationId,
        after_connector: "simpay",
        reason: "do_not_honor",
        processor_code: "05",
        connector: "other",
      },
    });
    expect(authorized).toMatchObject({ type: "payment_authorized", operationId: payment.authorizationId });
    expect(rerouted?.operationId).not.toBe(requested?.operationId);
    // The same key is answered alike by the cache and by the log, and never sends again.
    for (const again of [parts, await stage.replica({ withRedis: false })]) {
      const replay = await createOrAuthorize(again, command);
      expect([replay.kind, paymentOf(replay).version]).toEqual(["replayed", 3]);
    }
    expect(sentTo).toEqual(["simpay", "other"]);
  });

  test("later operations go where the money is held", async () => {
    answers({ simpay: outcomes.softDeclined });
    const parts = await fresh();
    const command = createCommand();
    const payment = paymentOf(await createOrAuthorize(parts, command));
    const captured = await capturePayment(parts, { caller: command.caller, ...keyed(), paymentId: payment.id, amount: undefined });
    expect(paymentOf(captured).status).toBe("captured");
    expect([...stage.processor.books.values()].map(({ kind, connector, outcome }) => [kind, connector, outcome.responseCode])).toEqual([
      ["authorize", "simpay", "05"],
      ["authorize", "other", "00"],
      ["capture", "other", "00"],
    ]);
  });

  test("of every processor is the last one's answer, after three attempts", async () => {
    answers(Object.fromEntries(ranked.map((name) => [name, outcomes.softDeclined])));
    const answer = await createOrAuthorize(await fresh(), createCommand());
    expect([codeOf(answer), paymentOf(answer).status, paymentOf(answer).attempts]).toEqual(["card_declined", "declined", 3]);
    expect(sentTo).toEqual(["simpay", "other", "third"]);
    expect((await rowsOf(paymentOf(answer))).map(({ event }) => event.type)).toEqual([
      "authorization_requested",
      "authorization_rerouted",
      "authorization_rerouted",
      "authorization_declined",
    ]);
  });

  test("goes nowhere when the house allows one attempt, or when the time of a call is over", async () => {
    answers({ simpay: outcomes.softDeclined });
    const { settings } = stage.house;
    stage.house.settings = { ...settings, limits: { ...settings.limits, cascadeAttemptsMax: 1 } };
    expect(codeOf(await createOrAuthorize(await fresh(), createCommand()))).toBe("card_declined");
    stage.house.settings = settings;
    stage.processor.behave = (_kind, _reference, connector) => {
      sentTo.push(connector);
      stage.clock.aheadMs += settings.limits.cascadeWithinMs + 1;
      return { told: outcomes.softDeclined };
    };
    expect(codeOf(await createOrAuthorize(await fresh(), createCommand()))).toBe("card_declined");
    expect(sentTo).toEqual(["simpay", "simpay"]);
  });
});

describe("an issuer's no stays the answer", () => {
  test("where the next processor cannot be reached", async () => {
    house(["simpay", "other"]);
    answers({ simpay: outcomes.softDeclined, other: outcomes.notSent });
    const answer = await createOrAuthorize(await fresh(), createCommand());
    expect([codeOf(answer), sentTo]).toEqual(["card_declined", ["simpay", "other"]]);
    const payment = paymentOf(answer);
    expect(payment).toMatchObject({ decline: { reason: "do_not_honor" }, processorResponse: { connector: "simpay", code: "05" } });
    expect((await rowsOf(payment)).at(-1)?.event).toMatchObject({ type: "authorization_not_sent", refusal: { code: "card_declined" } });
  });

  test("where the caller's time is over before the next could be asked", async () => {
    const parts = await fresh();
    const settings = { marginMs: 500, askMsMin: 100 };
    const budget = createCallBudget({ timeoutMs: 10_000, settings, monotonicMs: parts.timing.monotonicMs });
    stage.processor.behave = (_kind, _reference, connector) => {
      sentTo.push(connector);
      stage.clock.aheadMs += 9_450;
      return { told: outcomes.softDeclined };
    };
    const answer = await createOrAuthorize(parts, createCommand({ caller: { ...newCaller(), budget } }));
    expect([codeOf(answer), sentTo]).toEqual(["card_declined", ["simpay"]]);
    expect((await rowsOf(paymentOf(answer))).map(({ event }) => event.type)).toEqual(["authorization_requested", "authorization_declined"]);
  });
});

test("a next attempt whose row is there, though nobody heard so, is sent by who wrote it", async () => {
  answers({ simpay: outcomes.softDeclined });
  const parts = await fresh();
  const { log } = parts;
  let lost = 0;
  const forgetful: typeof log = {
    ...log,
    async append(transition, key) {
      const appended = await log.append(transition, key);
      if (transition.event.type !== "authorization_rerouted") return appended;
      lost += 1;
      throw new AppError("unavailable", "the connection broke after the commit", { work: "unknown" });
    },
  };
  const payment = paymentOf(await createOrAuthorize({ ...parts, log: forgetful }, createCommand()));
  expect([lost, payment.status, payment.attempts, sentTo]).toEqual([1, "authorized", 2, ["simpay", "other"]]);
  expect((await rowsOf(payment)).map(({ event }) => event.type)).toEqual([
    "authorization_requested",
    "authorization_rerouted",
    "payment_authorized",
  ]);
});

describe("nothing follows", () => {
  test.each([
    ["an approval", outcomes.approved, "authorized"],
    ["a hard decline", outcomes.declined, "declined"],
    ["an unknown outcome", outcomes.unknown, "processing"],
    ["a fault of our own house", ourFault, "declined"],
  ] as const)("%s", async (_name, told, status) => {
    answers({ simpay: told });
    const parts = await fresh();
    const command = createCommand();
    await createOrAuthorize(parts, command);
    const stored = required(await parts.reader.key({ ...command.caller, key: command.idempotencyKey }), "the key's row");
    const payment = await parts.reader.newest({ id: stored.paymentId, merchantId: command.caller.merchantId });
    expect([payment?.status, payment?.attempts]).toEqual([status, 1]);
    expect(sentTo).toEqual(["simpay"]);
  });
});

test("what was not sent goes on, and a processor that is down is not asked at all once its circuit is open", async () => {
  answers({ simpay: outcomes.notSent });
  const parts = await fresh();
  const statuses = await Promise.all(
    Array.from({ length: 30 }, async () => paymentOf(await createOrAuthorize(parts, createCommand())).status),
  );
  expect(new Set(statuses)).toEqual(new Set(["authorized"]));
  const asked = sentTo.filter((name) => name === "simpay").length;
  // At once: after a second the circuit tries whether it is well again.
  const more = await Promise.all(Array.from({ length: 5 }, async () => paymentOf(await createOrAuthorize(parts, createCommand()))));
  expect(more.map(({ attempts, processorResponse }) => [attempts, processorResponse?.connector])).toEqual(more.map(() => [1, "other"]));
  expect(sentTo.filter((name) => name === "simpay")).toHaveLength(asked);
});

test("an attempt that was left and is found approved later is undone, and the payment stays with the other", async () => {
  answers({ simpay: outcomes.softDeclined });
  const parts = await fresh();
  const payment = paymentOf(await createOrAuthorize(parts, createCommand()));
  const [intent] = await rowsOf(payment);
  const left = required(intent, "the first attempt");
  const { operationId } = left.event;
  const outcome = {
    kind: "approved",
    isFinal: true,
    words: { processorReference: "x", responseCode: "00", authCode: "", avs: "", cvv: "" },
  } as const;
  await recordAnswer(parts, left, { outcome, connector: "simpay" }, (current) =>
    recordAuthorization(
      current,
      { attemptId: operationId, outcome },
      { nowMs: Date.now(), origin: left.event.origin, authorizationLifetimeMs: 1 },
    ),
  );
  expect([...stage.processor.reversed]).toEqual([operationId]);
  const after = await parts.reader.newest({ id: payment.id, merchantId: payment.merchantId });
  expect(after).toMatchObject({ status: "authorized", authorizationId: payment.authorizationId, openOperations: [] });
  expect((await rowsOf(payment)).slice(-2).map(({ event }) => event.type)).toEqual(["reversal_requested", "reversal_succeeded"]);
});

test("an attempt that somebody else decided meanwhile is not followed", async () => {
  const parts = await fresh();
  const rival = await fresh();
  stage.processor.behave = async (_kind, reference, connector) => {
    sentTo.push(connector);
    await decideByRival(rival, reference);
    return { told: outcomes.softDeclined };
  };
  const command = createCommand();
  const answer = await createOrAuthorize(parts, command);
  expect([codeOf(answer), sentTo]).toEqual(["card_declined", ["simpay"]]);
  expect((await rowsOf(paymentOf(answer))).map(({ event }) => event.type)).toEqual(["authorization_requested", "authorization_declined"]);

  async function decideByRival(by: Parts, attemptId: string): Promise<void> {
    const stored = required(await by.reader.key({ ...command.caller, key: command.idempotencyKey }), "the key's row");
    const which = { id: stored.paymentId, merchantId: command.caller.merchantId };
    const intent = required(await by.reader.at(which, 1), "the intent");
    const words = { processorReference: "", responseCode: "05", authCode: "", avs: "", cvv: "" };
    const outcome = { kind: "declined", reason: "do_not_honor", words } as const;
    await recordAnswer(by, intent, { outcome, connector: "simpay" }, (current) =>
      recordAuthorization(current, { attemptId, outcome }, { nowMs: Date.now(), origin: intent.event.origin, authorizationLifetimeMs: 1 }),
    );
  }
});

describe("a payment that no processor takes", () => {
  test("is refused with every reason before anything is written, and its key stays free", async () => {
    const { settings } = stage.house;
    const processors = settings.processors.map((one) => ({ ...one, currencies: new Set(["USD"]) }));
    stage.house.settings = { ...settings, processors };
    const command = createCommand();
    const parts = await fresh();
    const answer = await createOrAuthorize(parts, command);
    expect(answer).toMatchObject({
      payment: undefined,
      refusal: { code: "payment_not_routable", message: expect.stringContaining("simpay (currency_not_supported); other (currency") },
    });
    expect(sentTo).toEqual([]);
    stage.house.settings = settings;
    expect(paymentOf(await createOrAuthorize(parts, command)).status).toBe("authorized");
  });

  test("while no processor of the house has its connector, is not told to change anything", async () => {
    const { settings } = stage.house;
    const command = createCommand();
    const parts = await fresh();
    stage.house.settings = { ...settings, processors: [] };
    expect(codeOf(await createOrAuthorize(parts, command))).toBe("processor_unavailable");
    stage.house.settings = settings;
    expect(paymentOf(await createOrAuthorize(parts, command)).status).toBe("authorized");
  });
});

describe("the networks' rules", () => {
  /** One more payment with the counted card. */
  const pay = (parts: Parts, caller: ReturnType<typeof newCaller>) =>
    createOrAuthorize(parts, createCommand({ caller, ...card, key: randomUUID() }));

  test("ten declined tries in a day are all that is sent, and the eleventh says so to the payer's merchant", async () => {
    house(["simpay"]);
    answers({ simpay: outcomes.declined });
    const [parts, caller] = [await fresh(), newCaller()];
    for (let tries = 0; tries < 10; tries++) expect(codeOf(await pay(parts, caller))).toBe("card_declined");
    const eleventh = paymentOf(await pay(parts, caller));
    expect(eleventh).toMatchObject({
      decline: { reason: "card_velocity_exceeded" },
      fraudCheck: { reasons: ["network_declines_per_day"] },
    });
    expect([sentTo.length, await declinesOf(caller.merchantId)]).toEqual([10, 10]);
    // Another merchant's tries are its own; a day later there is room for five more of the month's fifteen.
    expect(codeOf(await pay(parts, newCaller()))).toBe("card_declined");
    stage.clock.aheadMs = 24 * 60 * 60 * 1000 + 1_000;
    for (let tries = 0; tries < 7; tries++) await pay(parts, caller);
    expect(await declinesOf(caller.merchantId)).toBe(15);
    expect(sentTo).toHaveLength(16);
  });

  test("after an answer of category 1 the card is not sent again for a month, not even elsewhere", async () => {
    answers({ simpay: { ...outcomes.declined, responseCode: "43", declineReason: "stolen_card" } });
    const [parts, caller] = [await fresh(), newCaller()];
    expect(paymentOf(await pay(parts, caller)).decline?.reason).toBe("stolen_card");
    const next = paymentOf(await pay(parts, caller));
    expect([next.decline?.reason, next.decline?.declineCode]).toEqual(["do_not_try_again", "do_not_retry"]);
    expect(sentTo).toEqual(["simpay"]);
    stage.clock.aheadMs = 30 * 24 * 60 * 60 * 1000 + 1_000;
    await pay(parts, caller);
    expect(sentTo).toEqual(["simpay", "simpay"]);
  });

  test("count what was found out later, too", async () => {
    const stolen = { ...outcomes.declined, responseCode: "43", declineReason: "stolen_card" };
    stage.processor.behave = (_kind, _reference, connector) => {
      sentTo.push(connector);
      return { told: outcomes.unknown, booked: stolen };
    };
    const [parts, caller] = [await fresh(), newCaller()];
    const asked = paymentOf(await pay(parts, caller));
    expect([asked.status, await declinesOf(caller.merchantId)]).toEqual(["processing", 0]);
    await resolveOperation(parts, { id: asked.id, merchantId: asked.merchantId }, () => true);
    expect((await rowsOf(asked)).at(-1)?.event.type).toBe("authorization_declined");
    expect(await declinesOf(caller.merchantId)).toBe(1);
    expect(paymentOf(await pay(parts, caller)).decline?.reason).toBe("do_not_try_again");
    expect(sentTo).toEqual(["simpay"]);
  });

  test("do not count calls that were no tries: their payment does not exist", async (context) => {
    if (stage.redisServer === undefined) return context.skip();
    const [parts, caller] = [await fresh(), newCaller("live")];
    const attempt = { token: card.token, customerIp: "" };
    for (let tries = 0; tries < 12; tries++) {
      const paymentId = makeId("payment", Date.now(), randomBytes(10));
      expect(codeOf(await authorizeExisting(parts, { caller, ...keyed(), paymentId, attempt }))).toBe("payment_not_found");
    }
    expect(paymentOf(await pay(parts, caller)).status).toBe("authorized");
  });

  test("hold for tries at once, on two replicas, cascades counted in", async (context) => {
    if (stage.redisServer === undefined) return context.skip();
    answers(Object.fromEntries(ranked.map((name) => [name, outcomes.softDeclined])));
    const [parts, other, caller] = [await fresh(), await fresh(), newCaller("live")];
    await Promise.all(Array.from({ length: 40 }, (_, place) => pay(place % 2 === 0 ? parts : other, caller)));
    expect(await declinesOf(caller.merchantId)).toBe(sentTo.length);
    expect(sentTo.length).toBeLessThanOrEqual(10);
    expect(sentTo.length).toBeGreaterThan(0);
    // Nothing is left under way: what was not used up is free again.
    for (let more = sentTo.length; more < 10; more++) await pay(parts, caller);
    await pay(parts, caller);
    expect(sentTo).toHaveLength(10);
  });

  test("are counted also when the database is away for a moment, before their outcome is recorded", async () => {
    answers({ simpay: outcomes.declined });
    const [parts, caller] = [await fresh(), newCaller()];
    let faults = 0;
    const count: Parts["declines"]["count"] = (...decline) => {
      if (++faults <= 3) return Promise.reject(new AppError("unavailable", "the database is away", { work: "unknown" }));
      return parts.declines.count(...decline);
    };
    expect(codeOf(await pay({ ...parts, declines: { ...parts.declines, count } }, caller))).toBe("card_declined");
    expect([faults, await declinesOf(caller.merchantId)]).toEqual([4, 1]);
  });

  test("are nobody's next try where the database stays away: the outcome is recorded, and that it is not counted is", async () => {
    answers({ simpay: outcomes.softDeclined });
    const [parts, caller] = [await fresh(), newCaller()];
    const uncounted: string[] = [];
    const metrics = { ...parts.metrics, count: ((name: string) => void uncounted.push(name)) as Parts["metrics"]["count"] };
    const count = () => Promise.reject(new AppError("unavailable", "the database is away", { work: "unknown" }));
    expect(codeOf(await pay({ ...parts, metrics, declines: { ...parts.declines, count } }, caller))).toBe("card_declined");
    expect([sentTo, await declinesOf(caller.merchantId)]).toEqual([["simpay"], 0]);
    expect(uncounted).toContain("switch_declines_uncounted_total");
  }, 30_000);

  test("in test mode, where there are few cards, count declines and not what is under way", async () => {
    house(["simpay"]);
    answers({});
    const [parts, caller] = [await fresh(), newCaller()];
    const paid = await Promise.all(Array.from({ length: 30 }, () => pay(parts, caller)));
    expect(paid.map((answer) => paymentOf(answer).status)).toEqual(paid.map(() => "authorized"));
    answers({ simpay: outcomes.declined });
    for (let tries = 0; tries < 12; tries++) await pay(parts, caller);
    expect(await declinesOf(caller.merchantId)).toBe(10);
  });

  test("leave a payment with its decline while others of the card may use up what is free", async (context) => {
    if (stage.redisServer === undefined) return context.skip();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    stage.processor.behave = async (_kind, _reference, connector) => {
      sentTo.push(connector);
      if (sentTo.length <= 9) await held;
      return { told: sentTo.length <= 9 ? outcomes.approved : outcomes.softDeclined };
    };
    const [parts, caller] = [await fresh(), newCaller("live")];
    const others = Array.from({ length: 9 }, () => pay(parts, caller));
    await expect.poll(() => sentTo.length).toBe(9);
    expect(codeOf(await pay(parts, caller))).toBe("card_declined");
    expect(sentTo).toHaveLength(10);
    release();
    await Promise.all(others);
  });

  test("do not count well-known test tokens, and forget what is older than a month", async () => {
    answers({ simpay: outcomes.declined });
    const [parts, caller] = [await fresh(), newCaller()];
    for (let tries = 0; tries < 12; tries++) await createOrAuthorize(parts, createCommand({ caller }));
    expect([sentTo.length, await declinesOf(caller.merchantId)]).toEqual([12, 0]);
    await pay(parts, caller);
    await stage.sql`
      INSERT INTO card_declines (merchant_id, card_fingerprint, attempt_id, declined_at, is_category_one)
      VALUES (${idToHex(caller.merchantId)}::uuid, ${"a".repeat(32)}, ${randomUUID()}::uuid, now() - interval '32 days', true)`;
    expect([await declinesOf(caller.merchantId), await forgetDeclines(stage.sql), await declinesOf(caller.merchantId)]).toEqual([2, 1, 1]);
  });
});

test("a second call for a payment that was declined starts at the best processor again", async () => {
  answers(Object.fromEntries(ranked.map((name) => [name, outcomes.softDeclined])));
  const parts = await fresh();
  const command = createCommand();
  const declined = paymentOf(await createOrAuthorize(parts, command));
  answers({});
  sentTo.length = 0;
  const attempt = { token: "tok_visa_4242", customerIp: "" };
  const answer = await authorizeExisting(parts, { caller: command.caller, ...keyed(), paymentId: declined.id, attempt });
  expect([paymentOf(answer).status, paymentOf(answer).attempts, sentTo]).toEqual(["authorized", 4, ["simpay"]]);
});
