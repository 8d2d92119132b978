/**
 * What the switch's RPC surface says no to, and how: a bad field by its path with nothing recorded, a deadline, a business "no" as a value,
 * an operating fault as a gRPC status that says whether the work was done.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { Work } from "@florin/gen/frames/v1/frames";
import { CaptureMode, Disposition, Mode, type OperationResult, PaymentService, PaymentStatus } from "@florin/gen/payments/v1/payments";
import { type ErrorCode, errorCatalogue } from "@florin/kernel";
import { connectPostgres } from "@florin/runtime/postgres";
import type { RpcServer } from "@florin/runtime/rpc";
import { portOfNobody, untilTrue } from "@florin/runtime/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createLogReader } from "../src/store/log-reader.ts";
import { createLogWriter } from "../src/store/log-writer.ts";
import { outcomes } from "./processor-double.ts";
import {
  authorizedOver,
  card,
  createRequest,
  loose,
  newWireCaller,
  openRpcStage,
  pathOf,
  type RpcStage,
  ways,
  within,
} from "./rpc-stage.ts";
import { keyed, telemetry } from "./stage.ts";

let rpc: RpcStage;

beforeAll(async () => {
  rpc = await openRpcStage();
});
afterAll(() => rpc.stop());
afterEach(() => {
  rpc.stage.processor.reset();
  rpc.stage.vault.isAway = false;
  rpc.stage.clock.aheadMs = 0;
});

describe("a bad field", () => {
  type Row = readonly [change: object, param: string, code: ErrorCode];
  const caller = newWireCaller();
  const callers: readonly Row[] = [
    [{ caller: undefined }, "caller", "parameter_missing"],
    [{ caller: { ...caller, merchantId: "mer_1" } }, "caller.merchant_id", "parameter_invalid"],
    [{ caller: { ...caller, mode: Mode.UNSPECIFIED } }, "caller.mode", "parameter_missing"],
    [{ caller: { ...caller, mode: 9 } }, "caller.mode", "parameter_missing"],
    [{ caller: { ...caller, actor: "" } }, "caller.actor", "parameter_invalid"],
    [{ caller: { ...caller, actor: "a".repeat(129) } }, "caller.actor", "parameter_invalid"],
    [{ caller: { ...caller, requestId: "r".repeat(129) } }, "caller.request_id", "parameter_invalid"],
  ];
  const keys: readonly Row[] = [
    [{ idempotencyKey: "" }, "idempotency_key", "idempotency_key_missing"],
    [{ idempotencyKey: "k".repeat(256) }, "idempotency_key", "idempotency_key_invalid"],
    [{ idempotencyKey: "ключ" }, "idempotency_key", "idempotency_key_invalid"],
    [{ idempotencyKey: "a\nb" }, "idempotency_key", "idempotency_key_invalid"],
  ];
  const ids: readonly Row[] = ["", "pay_1", "mer_01j00000000000000000000000"].map((paymentId) => [
    { paymentId },
    "payment_id",
    "payment_not_found",
  ]);
  const amounts: readonly Row[] = [0n, -1n, 1_000_000_000_000n].map((amount) => [{ amount }, "amount", "amount_invalid"]);
  const methods: readonly Row[] = [
    [{ paymentMethod: undefined }, "payment_method", "parameter_missing"],
    [{ paymentMethod: { ...card, type: "wallet" } }, "payment_method.type", "parameter_invalid"],
    [{ paymentMethod: { ...card, token: "" } }, "payment_method.token", "parameter_missing"],
    [{ paymentMethod: { ...card, token: "t".repeat(65) } }, "payment_method.token", "parameter_invalid"],
    [{ customerIp: "999.1.1.1" }, "customer_ip", "parameter_invalid"],
    [{ customerIp: ":::" }, "customer_ip", "parameter_invalid"],
  ];
  const metadata = (pairs: number, key: number, value: number) =>
    Object.fromEntries(Array.from({ length: pairs }, (_, index) => [`${index}`.padEnd(key, "k"), "v".repeat(value)]));
  const bad = {
    createPayment: [
      ...callers,
      ...keys,
      ...amounts,
      ...methods,
      [{ currency: "" }, "currency", "currency_unknown"],
      [{ currency: "eur" }, "currency", "currency_unknown"],
      [{ currency: "XXX" }, "currency", "currency_unknown"],
      [{ captureMode: 9 }, "capture_mode", "parameter_invalid"],
      [{ merchantReference: "m".repeat(256) }, "merchant_reference", "parameter_invalid"],
      [{ merchantReference: "a\0b" }, "merchant_reference", "parameter_invalid"],
      [{ uniqueReference: true }, "merchant_reference", "parameter_missing"],
      [{ description: "d".repeat(1_001) }, "description", "parameter_invalid"],
      [{ metadata: metadata(51, 3, 1) }, "metadata", "parameter_invalid"],
      [{ metadata: metadata(1, 41, 1) }, "metadata", "parameter_invalid"],
      [{ metadata: { "": "v" } }, "metadata", "parameter_missing"],
      [{ metadata: metadata(1, 1, 501) }, "metadata.0", "parameter_invalid"],
    ],
    authorizePayment: [...callers, ...keys, ...ids, ...methods],
    capturePayment: [...callers, ...keys, ...ids, ...amounts],
    voidPayment: [...callers, ...keys, ...ids],
    refundPayment: [
      ...callers,
      ...keys,
      ...ids,
      ...amounts,
      [{ reason: "" }, "reason", "parameter_missing"],
      [{ reason: "r".repeat(256) }, "reason", "parameter_invalid"],
    ],
    getPayment: [...callers, ...ids],
    listPayments: [
      ...callers,
      [{ limit: 101 }, "limit", "parameter_invalid"],
      [{ cursor: "nobody made this" }, "cursor", "cursor_invalid"],
      [{ status: 99 }, "status", "parameter_invalid"],
      [{ merchantReference: "m".repeat(256) }, "merchant_reference", "parameter_invalid"],
    ],
    getPaymentRouting: [...callers, ...ids],
    listPaymentEvents: [...callers, ...ids, [{ limit: 101 }, "limit", "parameter_invalid"]],
  } as const satisfies Record<keyof typeof PaymentService.method, readonly Row[]>;

  test.each(PaymentService.methods.map((method) => ({ method, name: method.localName as keyof typeof bad })))(
    "of $name is answered with its path, and nothing is recorded",
    async ({ method, name }) => {
      const { caller: owner, paymentId } = await authorizedOver(await rpc.ready("unary"));
      // Good but for the one field, so that only this field can be what is refused.
      const good = { ...createRequest(), caller: owner, paymentId, reason: "damaged" };
      const sound = { createPayment: good, capturePayment: { ...good, amount: 1n }, refundPayment: { ...good, amount: 1n } };
      const base: object = name in sound ? sound[name as keyof typeof sound] : { ...good, amount: undefined };
      const before = await rpc.recorded();
      for (const [change, param, code] of bad[name]) {
        const request = { ...base, ...keyed(), ...change };
        const what = { change, code, param, work: "not_done" };
        for (const way of ways) {
          const fault = await loose(await rpc.ready(way))
            [name]?.(request, within)
            .catch((thrown: unknown) => thrown);
          const { code: said, param: at, work } = fault as { code?: unknown; param?: unknown; work?: unknown };
          expect({ change, code: said, param: at, work }).toEqual(what);
        }
        const { status, fault } = await rpc.plain().call(pathOf(method), toBinary(method.input, create(method.input, request)));
        expect([status, fault?.param]).toEqual([errorCatalogue[code].grpc === "NOT_FOUND" ? 5 : 3, param]);
      }
      expect(await rpc.recorded()).toEqual(before);
      // Nothing of the base itself was in the way: a refusal at most.
      await loose(await rpc.ready("unary"))[name]?.({ ...base, ...keyed() }, within);
    },
  );

  test("does not use its key up: the mended request goes through with it", async () => {
    const client = await rpc.ready("framed");
    const request = createRequest();
    await expect(client.createPayment({ ...request, currency: "EURO" }, within)).rejects.toMatchObject({ param: "currency" });
    expect((await client.createPayment(request, within)).result?.disposition).toBe(Disposition.DONE);
  });

  test("a message that is none is refused", async () => {
    const { status, fault } = await rpc.plain().call("florin.payments.v1.PaymentService/GetPayment", Buffer.of(0xff, 0xff, 0xff));
    expect([status, fault?.code, fault?.work]).toEqual([3, "parameter_invalid", Work.NOT_DONE]);
  });

  test("the far ends of numbers are answers, not faults", async () => {
    const client = await rpc.ready("unary");
    const { caller: owner, paymentId } = await authorizedOver(client);
    const events = await client.listPaymentEvents({ caller: owner, paymentId, afterSequence: 0xffff_ffff }, within);
    expect([events.found, events.entries]).toEqual([true, []]);
    const far = 2n ** 63n - 1n;
    for (const bounds of [{ createdFromMs: -far, createdToMs: far }, { createdFromMs: -1n }])
      expect((await client.listPayments({ caller: owner, ...bounds }, within)).payments).toHaveLength(1);
    expect((await client.listPayments({ caller: owner, createdFromMs: far }, within)).payments).toEqual([]);
  });

  test("pairs and texts come back as they were sent", async () => {
    const client = await rpc.ready("framed");
    const odd = { ["__proto__"]: "1", constructor: "2", ключ: "✓", "a b": '"\\' };
    const { payment } = await authorizedOver(client, {
      metadata: odd,
      description: "naïve — “quoted”",
      captureMode: CaptureMode.AUTOMATIC,
    });
    expect(Object.entries(payment.metadata).sort()).toEqual(Object.entries(odd).sort());
    expect([payment.description, payment.captureMode]).toEqual(["naïve — “quoted”", CaptureMode.AUTOMATIC]);
  });
});

describe("a deadline", () => {
  test("that has passed on arrival is an answer, and nothing is recorded", async () => {
    const before = await rpc.recorded();
    const { method } = PaymentService;
    const body = toBinary(method.createPayment.input, create(method.createPayment.input, createRequest()));
    const { status } = await rpc.plain().call(pathOf(method.createPayment), body, { "grpc-timeout": "1n" });
    expect(status).toBe(4);
    expect(await rpc.recorded()).toEqual(before);
  });

  test.each(ways)(
    "that would pass while the processor thinks is answered in time: in flight; and the key finds the outcome, %s",
    async (way) => {
      const client = await rpc.ready(way);
      let answerNow = () => {};
      const thinking = new Promise<void>((resolve) => {
        answerNow = resolve;
      });
      rpc.stage.processor.behave = async () => thinking.then(() => ({ told: outcomes.approved }));
      const request = createRequest();
      const late = await client.createPayment(request, { timeoutMs: 1_200 });
      const meanwhile = await client.createPayment(request, within);
      for (const { result } of [late, meanwhile]) {
        expect([result?.disposition, result?.retryAfterMs]).toEqual([Disposition.IN_FLIGHT, 2_000]);
        expect(result?.payment?.status).toBe(PaymentStatus.PROCESSING);
      }
      answerNow();
      await untilTrue(() => rpc.stage.processor.books.size === 1, 5_000);
      // From now on the key is stale, and whoever asks with it has the processor asked.
      rpc.stage.clock.aheadMs = 31_000;
      const { result } = await client.createPayment(request, within);
      expect([result?.disposition, result?.payment?.status]).toEqual([Disposition.REPLAYED, PaymentStatus.AUTHORIZED]);
      expect(rpc.stage.processor.calls.authorize).toBe(1);
    },
  );
});

describe("a business no", () => {
  test.each(ways)("is a value with its code, %s", async (way) => {
    const client = await rpc.ready(way);
    const { caller, paymentId, request } = await authorizedOver(client);
    const which = { caller, paymentId };
    const unknown = { caller, paymentId: `${paymentId.slice(0, -4)}0000` };
    const codeOf = async (answer: Promise<{ result?: OperationResult | undefined }>) => (await answer).result?.refusal?.code;
    expect(await codeOf(client.refundPayment({ ...which, ...keyed(), reason: "early" }, within))).toBe("payment_state_invalid");
    expect(await codeOf(client.capturePayment({ ...which, ...keyed(), amount: 10_001n }, within))).toBe("amount_too_large");
    expect(await codeOf(client.capturePayment({ ...unknown, ...keyed() }, within))).toBe("payment_not_found");
    expect(await codeOf(client.voidPayment({ ...which, ...keyed(), caller: newWireCaller() }, within))).toBe("payment_not_found");
    expect(await codeOf(client.createPayment({ ...request, amount: 1n }, within))).toBe("idempotency_key_reuse");
    const noToken = client.createPayment(createRequest({ paymentMethod: { ...card, token: "tok_none" } }), within);
    expect(await codeOf(noToken)).toBe("token_not_found");
    expect((await client.getPayment(unknown, within)).payment).toBeUndefined();
    expect((await client.listPaymentEvents(unknown, within)).found).toBe(false);
  });

  test.each(ways)("a decline comes with its payment and whether to try again, and is replayed so, %s", async (way) => {
    const client = await rpc.ready(way);
    rpc.stage.processor.behave = () => ({ told: outcomes.declined });
    const request = createRequest();
    const first = (await client.createPayment(request, within)).result;
    expect(first?.refusal).toMatchObject({ code: "card_declined", declineCode: "retry_allowed", param: "" });
    expect(first?.payment).toMatchObject({ status: PaymentStatus.DECLINED, decline: { reason: "insufficient_funds" } });
    const again = (await client.createPayment(request, within)).result;
    expect(again).toEqual({ ...first, disposition: Disposition.REPLAYED, processorMs: 0 });
  });

  test("a processor that was surely not reached is one too", async () => {
    rpc.stage.processor.behave = () => ({ told: outcomes.notSent });
    const { result } = await (await rpc.ready("framed")).createPayment(createRequest(), within);
    expect([result?.disposition, result?.refusal?.code]).toEqual([Disposition.DONE, "processor_unavailable"]);
  });
});

describe("an operating fault", () => {
  /** The status as a foreign client sees it, and the fault as ours do. */
  const faultAt = async (at: RpcServer, request = createRequest()) => {
    const { createPayment } = PaymentService.method;
    const { status, fault, message } = await rpc
      .plain("edge", at)
      .call(pathOf(createPayment), toBinary(createPayment.input, create(createPayment.input, request)));
    return { status, code: fault?.code, work: fault?.work, message };
  };

  test("the vault away: UNAVAILABLE, not done, and the key is free", async () => {
    // A fresh replica has no description of the token yet.
    const fresh = await rpc.serve(await rpc.stage.replica());
    rpc.stage.vault.isAway = true;
    const request = createRequest();
    expect(await faultAt(fresh, request)).toMatchObject({ status: 14, code: "unavailable", work: Work.NOT_DONE });
    const framed = (await rpc.ready("framed", "edge", fresh)).createPayment(request, within);
    await expect(framed).rejects.toMatchObject({ code: "unavailable", work: "not_done" });
    rpc.stage.vault.isAway = false;
    const { result } = await (await rpc.ready("framed", "edge", fresh)).createPayment(request, within);
    expect(result?.disposition).toBe(Disposition.DONE);
  });

  test("the vault does not answer: UNAVAILABLE, not done, and the key is free", async () => {
    const fresh = await rpc.serve(await rpc.stage.replica());
    rpc.stage.vault.isHung = true;
    const request = createRequest();
    expect(await faultAt(fresh, request)).toMatchObject({ status: 14, code: "unavailable", work: Work.NOT_DONE });
    rpc.stage.vault.isHung = false;
    const { result } = await (await rpc.ready("framed", "edge", fresh)).createPayment(request, within);
    expect(result?.disposition).toBe(Disposition.DONE);
    expect(rpc.stage.processor.calls.authorize).toBe(1);
  });

  test("the database out of reach: UNAVAILABLE, not done, and another replica takes the key", async () => {
    const url = new URL(rpc.stage.appUrl);
    url.port = String(portOfNobody);
    const sql = connectPostgres({ url: url.href, name: "nowhere", connectionsMax: 2 });
    rpc.closing(() => sql.end({ timeout: 1 }));
    const parts = { ...rpc.stage.parts, log: createLogWriter({ sql, metrics: telemetry.metrics }), reader: createLogReader(sql) };
    const cut = await rpc.serve(parts);
    const request = createRequest();
    expect(await faultAt(cut, request)).toMatchObject({ status: 14, code: "unavailable", work: Work.NOT_DONE });
    expect((await (await rpc.ready("framed")).createPayment(request, within)).result?.disposition).toBe(Disposition.DONE);
    expect(rpc.stage.processor.calls.authorize).toBe(1);
  });

  test("the database's session lost in the middle of an append: UNAVAILABLE, unknown, and the key says what became of it", async () => {
    const superuser = connectPostgres({ url: databaseUrl(rpc.stage.superuserUrl), name: "superuser", connectionsMax: 2 });
    const request = createRequest();
    const [fault] = await superuser.begin(async (holding) => {
      await holding`LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE`;
      const answer = faultAt(rpc.server, request);
      const waiting = () => superuser`SELECT pid FROM pg_stat_activity WHERE application_name = 'test-switch' AND wait_event_type = 'Lock'`;
      await untilTrue(async () => (await waiting()).length > 0, 5_000);
      await superuser`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-switch' AND wait_event_type = 'Lock'`;
      return [await answer];
    });
    expect(fault).toMatchObject({ status: 14, code: "unavailable", work: Work.UNKNOWN });
    await superuser.end({ timeout: 5 });
    // The claim stays with whoever made it: nobody can say here that the intent was not written.
    const client = await rpc.ready("framed");
    expect((await client.createPayment(request, within)).result?.disposition).toBe(Disposition.IN_FLIGHT);
    rpc.stage.clock.aheadMs = 31_000;
    expect((await client.createPayment(request, within)).result?.disposition).toBe(Disposition.DONE);
    expect(rpc.stage.processor.calls.authorize).toBe(1);
  });

  test("too much in flight: RESOURCE_EXHAUSTED, not done", async () => {
    const small = await rpc.serve(rpc.stage.parts, { commandsInFlightMax: 1 });
    let answerNow = () => {};
    const thinking = new Promise<void>((resolve) => {
      answerNow = resolve;
    });
    rpc.stage.processor.behave = async () => thinking.then(() => ({ told: outcomes.approved }));
    const first = faultAt(small);
    await untilTrue(() => rpc.stage.processor.calls.authorize === 1, 5_000);
    expect(await faultAt(small)).toMatchObject({ status: 8, code: "overloaded", work: Work.NOT_DONE });
    answerNow();
    expect(await first).toMatchObject({ status: 0 });
  });

  test("a bug: INTERNAL, unknown, and not a word of what went wrong", async () => {
    const random = () => {
      throw new TypeError("an inner detail");
    };
    const broken = await rpc.serve({ ...rpc.stage.parts, random });
    expect(await faultAt(broken)).toEqual({ status: 13, code: "internal", work: Work.UNKNOWN, message: "an unexpected fault" });
  });
});

function databaseUrl(superuserUrl: string): string {
  const url = new URL(superuserUrl);
  url.pathname = new URL(rpc.stage.appUrl).pathname;
  return url.href;
}
