/** The switch's RPC surface over mutual TLS: every operation unary and framed, who may call what, and the services that every server has. */
import { randomBytes } from "node:crypto";
import { type DescService, fromBinary } from "@bufbuild/protobuf";
import { EventLogService, PaymentEventSchema } from "@florin/gen/events/v1/events";
import { Work } from "@florin/gen/frames/v1/frames";
import { Disposition, Mode, PaymentService, PaymentStatus } from "@florin/gen/payments/v1/payments";
import { RecoveryService } from "@florin/gen/payments/v1/recovery";
import { EdgeSettingsService, SettingsService } from "@florin/gen/settings/v1/settings";
import { makeId } from "@florin/kernel";
import { connectUnary } from "@florin/runtime/rpc";
import { temporaryFolder } from "@florin/runtime/testing";
import { makeCertificates } from "@florin/runtime/tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openPlainGrpc } from "./plain-grpc.ts";
import { outcomes } from "./processor-double.ts";
import {
  authorizedOver,
  card,
  createRequest,
  type Identity,
  identities,
  loose,
  mutualTls,
  openRpcStage,
  pathOf,
  type RpcStage,
  ways,
  within,
} from "./rpc-stage.ts";
import { keyed, logger } from "./stage.ts";

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

describe("every operation", () => {
  test.each(ways)("is there, %s", async (way) => {
    const client = await rpc.ready(way);
    const created = await client.createPayment(createRequest({ confirm: false, merchantReference: `order-${way}` }), within);
    const payment = created.result?.payment;
    const caller = { merchantId: payment?.merchantId ?? "", mode: Mode.TEST, actor: "key:test", requestId: "" };
    const which = { caller, paymentId: payment?.id ?? "" };
    const answers = [
      created,
      await client.authorizePayment({ ...which, ...keyed(), paymentMethod: card, customerIp: "2001:db8::7" }, within),
      await client.capturePayment({ ...which, ...keyed(), amount: 6_000n }, within),
      await client.capturePayment({ ...which, ...keyed() }, within),
      await client.refundPayment({ ...which, ...keyed(), amount: 2_500n, reason: "damaged" }, within),
    ].map(({ result }) => [result?.disposition, result?.payment?.status, result?.refusal]);
    const { DONE } = Disposition;
    expect(answers).toEqual([
      [DONE, PaymentStatus.CREATED, undefined],
      [DONE, PaymentStatus.AUTHORIZED, undefined],
      [DONE, PaymentStatus.PARTIALLY_CAPTURED, undefined],
      [DONE, PaymentStatus.CAPTURED, undefined],
      [DONE, PaymentStatus.PARTIALLY_REFUNDED, undefined],
    ]);
    const read = await client.getPayment(which, within);
    expect(read.payment).toMatchObject({ amountCaptured: 10_000n, amountRefunded: 2_500n, version: 9 });
    const { payments: listed } = await client.listPayments({ caller, merchantReference: `order-${way}` }, within);
    expect(listed).toEqual([read.payment]);
    const timeline = await client.listPaymentEvents({ ...which, afterSequence: 2, limit: 3 }, within);
    expect([timeline.found, timeline.hasMore, timeline.entries.map(({ sequence }) => sequence)]).toEqual([true, true, [3, 4, 5]]);
    expect(timeline.entries.every(({ details }) => details["routing"] === undefined)).toBe(true);
    const routing = await client.getPaymentRouting(which, within);
    expect(routing).toMatchObject({
      found: true,
      decisions: [
        {
          sequence: 2,
          strategy: "listed",
          candidates: [{ processor: "simpay", rank: 1, reasons: ["by_list", "fee_unknown"] }],
          attempts: [{ processor: "simpay", outcome: "approved", reason: "" }],
        },
      ],
    });
    const stranger = { ...which, caller: { ...caller, merchantId: makeId("merchant", Date.now(), randomBytes(10)) } };
    expect((await client.getPaymentRouting(stranger, within)).found).toBe(false);
    const { caller: owner, paymentId } = await authorizedOver(client);
    const voided = await client.voidPayment({ caller: owner, paymentId, ...keyed() }, within);
    expect(voided.result?.payment?.status).toBe(PaymentStatus.VOIDED);
  });

  test("a call that is repeated the other way is the same call", async () => {
    const request = createRequest();
    const [unary, framed] = await Promise.all(ways.map((way) => rpc.ready(way)));
    const first = await unary?.createPayment(request, within);
    const second = await framed?.createPayment(request, within);
    expect([first?.result?.disposition, second?.result?.disposition]).toEqual([Disposition.DONE, Disposition.REPLAYED]);
    expect(second?.result?.payment).toEqual(first?.result?.payment);
  });

  test("the ledger follows the log from any position, in order", async () => {
    const { paymentId } = await authorizedOver(await rpc.ready("framed"));
    const log = connectUnary(EventLogService, { address: `127.0.0.1:${rpc.server.port}`, tls: rpc.tlsOf("ledger"), logger });
    rpc.closing(() => log.close());
    const stop = new AbortController();
    const positions: bigint[] = [];
    const types: string[] = [];
    for await (const { batch } of log.subscribe({ afterPosition: 0n, consumer: "ledger" }, { signal: stop.signal })) {
      for (const event of batch?.events ?? []) {
        positions.push(event.position);
        const { type, payment } = fromBinary(PaymentEventSchema, event.body);
        if (payment?.id === paymentId) types.push(type);
      }
      if (types.length === 2) break;
    }
    expect(types).toEqual(["authorization_requested", "payment_authorized"]);
    expect(positions).toEqual(positions.toSorted((left, right) => Number(left - right)));
  });
});

describe("an operator", () => {
  test("is told what is open, over the wire", async () => {
    const recovery = connectUnary(RecoveryService, { address: `127.0.0.1:${rpc.server.port}`, tls: rpc.tlsOf("operator"), logger });
    rpc.closing(() => recovery.close());
    rpc.stage.processor.behave = () => ({ told: outcomes.unknown, booked: outcomes.approved });
    const payments = await rpc.ready("unary");
    const created = await payments.createPayment(createRequest(), within);
    rpc.stage.processor.reset();
    const report = await recovery.reportOpenOperations({ limit: 1_000 }, within);
    const payment = created.result?.payment;
    expect(report.operations.find(({ paymentId }) => paymentId === payment?.id)).toMatchObject({
      operationId: payment?.authorizationId,
      kind: "authorize",
      connector: "simpay",
      amount: 10_000n,
      currency: "EUR",
      status: PaymentStatus.PROCESSING,
      isUnknown: true,
      resolvesByMs: payment?.resolvesByMs,
    });
    expect(report.count).toBe(report.operations.length);
    await expect(recovery.reportOpenOperations({ limit: 1_001 }, within)).rejects.toMatchObject({
      code: "parameter_invalid",
      param: "limit",
    });
  });
});

describe("who may call", () => {
  const allowed: Readonly<Record<string, readonly Identity[]>> = {
    "florin.payments.v1.PaymentService": ["edge", "client"],
    "florin.events.v1.EventLogService": ["ledger"],
    "florin.payments.v1.RecoveryService": ["operator"],
    "florin.settings.v1.SettingsService": ["operator"],
    "florin.settings.v1.EdgeSettingsService": ["edge"],
  };
  const services: readonly DescService[] = [PaymentService, RecoveryService, SettingsService, EdgeSettingsService, EventLogService];
  const rows = services.flatMap(({ methods }) => methods.map((method) => ({ method, name: pathOf(method) })));

  test.each(rows)("$name: those in the policy and nobody else", async ({ method, name }) => {
    for (const identity of identities) {
      // A subscription would go on for ever: its deadline ends it.
      const answer = await rpc.plain(identity).call(name, Buffer.alloc(0), { "grpc-timeout": "200m" });
      const isAllowed = allowed[method.parent.typeName]?.includes(identity) ?? false;
      expect([identity, answer.status === 7]).toEqual([identity, !isAllowed]);
      if (!isAllowed) expect(answer.fault).toMatchObject({ code: "caller_not_allowed", work: Work.NOT_DONE });
    }
  });

  test("a frame's commands are held to the same policy", async () => {
    const before = await rpc.recorded();
    for (const identity of ["ledger", "somebody"] as const) {
      const calls = loose(await rpc.ready("framed", identity));
      for (const { localName } of PaymentService.methods)
        await expect(calls[localName]?.(createRequest(), within)).rejects.toMatchObject({ code: "caller_not_allowed", work: "not_done" });
    }
    expect(await rpc.recorded()).toEqual(before);
  });

  test("without a certificate, or with one of another CA, there is no connection", async () => {
    const elsewhere = temporaryFolder();
    await makeCertificates({ directory: elsewhere, names: ["edge"] });
    const theirs = mutualTls(elsewhere, "edge");
    const nameless = openPlainGrpc(rpc.server.port, rpc.tlsOf("edge"), false);
    const stranger = openPlainGrpc(rpc.server.port, { ...theirs, ca: rpc.tlsOf("edge").ca });
    for (const client of [nameless, stranger])
      for (const path of ["florin.payments.v1.PaymentService/GetPayment", "grpc.health.v1.Health/Check"])
        await expect(client.call(path, Buffer.alloc(0))).rejects.toThrow();
  });
});

describe("the usual services", () => {
  test("health says that it serves, as a whole and by service", async () => {
    for (const service of ["", "florin.payments.v1.PaymentService", "florin.events.v1.EventLogService"]) {
      const request = Buffer.concat([Buffer.of(0x0a, service.length), Buffer.from(service)]);
      const { status, messages } = await rpc.plain().call("grpc.health.v1.Health/Check", request);
      expect([status, messages.map((message) => message.toString("hex"))]).toEqual([0, ["0801"]]);
    }
  });

  test("reflection names the services and hands out their descriptors", async () => {
    // ServerReflectionRequest: list_services = 7, file_containing_symbol = 4.
    const ask = async (field: number, text: string) => {
      const request = Buffer.concat([Buffer.of((field << 3) | 2, text.length), Buffer.from(text)]);
      const { messages } = await rpc.plain().call("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", request);
      return Buffer.concat(messages).toString("latin1");
    };
    const listed = await ask(7, "*");
    for (const name of [PaymentService.typeName, EventLogService.typeName, "grpc.health.v1.Health"]) expect(listed).toContain(name);
    expect(await ask(4, PaymentService.typeName)).toContain("RefundPaymentRequest");
  });
});
