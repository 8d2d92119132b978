/** Callbacks as they come in life: before the answer, alone, late, twice, never, forged, out of order. Each time one charge, and the right outcome. */
import { createHmac } from "node:crypto";
import { connect } from "node:net";
import { untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Connector, ConnectorCall } from "../src/contract/connector.ts";
import type { Outcome } from "../src/contract/outcome.ts";
import { operationKindOf } from "../src/contract/question.ts";
import { testCard } from "./cards.ts";
import { callbackKeyId, command, newId, receiverLimits, type SimlaterWorld, startSimlaterWorld } from "./simlater-world.ts";

/** Nobody asks in these tests, unless a test is about that. */
const neverMs = 60_000;
let world: SimlaterWorld;

beforeAll(async () => {
  world = await startSimlaterWorld(neverMs);
});
afterAll(() => world?.stop());

const call = (timeoutMs = 5_000): ConnectorCall => ({ deadlineAtMs: Date.now() + timeoutMs, traceparent: "" });
const approved = { kind: "approved", isFinal: true };

async function authorizeWith(fault: string, o: { timeoutMs?: number; delayMs?: number; connector?: Connector } = {}) {
  const asked = command();
  await world.fail(asked.reference, fault, o.delayMs);
  const outcome = await (o.connector ?? world.connector).authorize(asked, testCard("approved"), call(o.timeoutMs));
  return { asked, outcome, reference: asked.reference };
}

const statusesOf = async (reference: string) => (await world.callbacksOf(reference)).map(({ statuses }) => statuses);
const queried = async (reference: string, amount = 1_000n): Promise<Outcome | "not_found"> => {
  const answer = await world.connector.query({ reference, kind: operationKindOf(reference), amount, currency: "EUR" }, call());
  return answer.kind === "found" ? answer.outcome : "not_found";
};

describe("one charge and the right outcome when the callback", () => {
  /** Every fault of callbacks that the simulator can make. */
  const cases: Readonly<Record<string, () => Promise<void>>> = {
    callback_first: async () => {
      const { outcome, reference } = await authorizeWith("callback_first");
      expect(outcome).toMatchObject(approved);
      expect(await world.effects(reference)).toBe(1);
      expect(await statusesOf(reference)).toEqual([[200]]);
    },
    callback_only: async () => {
      const { outcome, reference } = await authorizeWith("callback_only");
      expect(outcome).toMatchObject(approved);
      expect(await world.effects(reference)).toBe(1);
    },
    callback_late: async () => {
      const { outcome, reference } = await authorizeWith("callback_late", { timeoutMs: 1_000, delayMs: 2_500 });
      expect(outcome).toEqual({ kind: "unknown", cause: "timeout" });
      await untilTrue(() => world.unawaited.some((item) => item.reference === reference), 5_000);
      expect(await statusesOf(reference)).toEqual([[200]]);
      expect(await queried(reference)).toMatchObject(approved);
      expect(await world.effects(reference)).toBe(1);
    },
    callback_twice: async () => {
      const before = world.results.length;
      const { outcome, reference } = await authorizeWith("callback_twice");
      expect(outcome).toMatchObject(approved);
      await untilTrue(() => world.results.length >= before + 2, 5_000);
      expect(world.results.slice(before)).toEqual(["taken", "repeated"]);
      expect(await world.effects(reference)).toBe(1);
      await untilTrue(async () => (await statusesOf(reference)).flat().length === 2, 5_000);
      expect(await statusesOf(reference)).toEqual([[200], [200]]);
    },
    callback_never: async () => {
      const asking = world.connectTo(world.simulator.url, { askAfterMs: 100 });
      const { outcome, reference } = await authorizeWith("callback_never", { connector: asking });
      expect(outcome).toMatchObject(approved);
      expect(await world.effects(reference)).toBe(1);
      const silent = await authorizeWith("callback_never", { timeoutMs: 1_000 });
      expect(silent.outcome).toEqual({ kind: "unknown", cause: "timeout" });
      expect(await queried(silent.reference)).toMatchObject(approved);
      await asking.close();
    },
    callback_forged: async () => {
      const before = world.results.length;
      const { outcome, reference } = await authorizeWith("callback_forged", { timeoutMs: 1_500 });
      expect(outcome).toEqual({ kind: "unknown", cause: "timeout" });
      expect(world.results.slice(before)).toEqual(["signature_wrong"]);
      expect(await statusesOf(reference)).toEqual([[401]]);
      expect(await world.effects(reference)).toBe(1);
    },
    callback_shuffled: async () => {
      const before = world.results.length;
      const { outcome, reference } = await authorizeWith("callback_shuffled");
      expect(outcome).toMatchObject(approved);
      await untilTrue(() => world.results.length >= before + 3, 5_000);
      expect(world.results.slice(before)).toEqual(["taken", "taken", "unawaited"]);
      expect(await world.effects(reference)).toBe(1);
    },
  };

  test.each(Object.keys(cases))("is as in %s", (fault) => cases[fault]?.());

  test("every fault of callbacks that the simulator can make is tried", async () => {
    const { faults } = await world.simulator.call("GET", "/admin/faults");
    const ofCallbacks = Object.keys(faults as object).filter((fault) => fault.startsWith("callback_"));
    expect(ofCallbacks.toSorted()).toEqual(Object.keys(cases).toSorted());
  });
});

describe("an order", () => {
  test("that is sent twice would be charged twice: the processor looks at no reference", async () => {
    const reference = newId("attempt");
    const order = {
      orderRef: reference,
      shop: newId("merchant"),
      purchase: newId("payment"),
      total: { value: "10.00", ccy: "EUR" },
      settle: false,
      instrument: { pan: Buffer.from(testCard("approved").number.expose()).toString(), until: "12/35" },
    };
    for (let times = 0; times < 2; times++) {
      const headers = { "content-type": "application/json", "x-later-key": "simlater_test" };
      expect((await fetch(`${world.simulator.url}/later/orders`, { method: "POST", headers, body: JSON.stringify(order) })).status).toBe(
        202,
      );
    }
    expect(await world.effects(reference)).toBe(2);
  });

  test("is sent once, however often it is asked for after silence", async () => {
    const { asked, outcome } = await authorizeWith("timeout_before_charge", { timeoutMs: 1_000 });
    expect(outcome).toEqual({ kind: "unknown", cause: "timeout" });
    for (let times = 0; times < 3; times++)
      expect(await world.connector.authorize(asked, testCard("approved"), call())).toEqual({ kind: "unknown", cause: "not_repeated" });
    expect(await world.effects(asked.reference)).toBe(0);
  });

  test("of a process that was killed is asked about by the next one, and not sent again", async () => {
    const { asked } = await authorizeWith("callback_never", { timeoutMs: 1_000 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const next = await world.restart();
    expect(await next.authorize(asked, testCard("approved"), call())).toMatchObject(approved);
    expect(await world.effects(asked.reference)).toBe(1);
  });

  test("whose callback comes after a restart is news, and its state is found by asking", async () => {
    const asked = command();
    await world.fail(asked.reference, "callback_late", 600);
    const lost = world.connector.authorize(asked, testCard("approved"), call(300));
    await untilTrue(async () => (await world.effects(asked.reference)) === 1, 5_000);
    await world.restart();
    expect(await lost).toMatchObject({ kind: "unknown" });
    await untilTrue(() => world.unawaited.some((item) => item.reference === asked.reference), 10_000);
    expect(await queried(asked.reference)).toMatchObject(approved);
  });
});

test("a refund that is paid out later is told by a callback that nobody waits for", async () => {
  const asked = command({ capture: true });
  expect(await world.connector.authorize(asked, testCard("approved"), call())).toMatchObject(approved);
  const reference = newId("refund");
  const link = { authorizationReference: asked.reference, processorReference: "", merchantId: asked.merchantId };
  const refund = { ...link, reference, amount: 400n, currency: "EUR", reason: "", isPurchase: true };
  expect(await world.connector.refund(refund, call())).toMatchObject({ kind: "approved", isFinal: false });
  await untilTrue(() => world.unawaited.some((item) => item.reference === reference), 5_000);
  expect(await queried(reference, 400n)).toMatchObject(approved);
});

describe("the receiver", () => {
  const reportOf = (reference: string) => ({
    orderRef: reference,
    ticket: "sl_000000000001",
    step: "ORDER",
    verdict: "GRANTED",
    why: "FINE",
    approval: "ABC123",
    addressCheck: "",
    codeCheck: "",
    total: { value: "10.00", ccy: "EUR" },
  });
  const bodyOf = (reference: string, eventId = newId("event")) => JSON.stringify({ eventId, report: reportOf(reference) });
  const nowS = () => Math.floor(Date.now() / 1_000);

  function signed(body: string, change: { time?: string; key?: string; keyId?: string; over?: string } = {}): Record<string, string> {
    const time = change.time ?? String(nowS());
    const key = Buffer.from(change.key ?? world.callbackKeyHex, "hex");
    const signature = createHmac("sha256", key)
      .update(`${time}.${change.over ?? body}`)
      .digest("hex");
    return { "x-later-key": change.keyId ?? callbackKeyId, "x-later-time": time, "x-later-signature": signature };
  }

  async function post(body: string, headers: Record<string, string>, url = world.callbackUrl): Promise<number> {
    return (await fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body })).status;
  }

  /** An order that nobody has answered yet. */
  async function silentOrder(timeoutMs = 2_500) {
    const asked = command();
    await world.fail(asked.reference, "callback_never");
    const outcome = world.connector.authorize(asked, testCard("approved"), call(timeoutMs));
    await untilTrue(async () => (await world.effects(asked.reference)) === 1, 5_000);
    return { asked, outcome };
  }

  test("believes nobody without the processor's signature: wrong key, wrong name, wrong body, wrong time, none at all", async () => {
    const { asked, outcome } = await silentOrder();
    const body = bodyOf(asked.reference);
    const attempts: readonly Record<string, string>[] = [
      signed(body, { key: "00".repeat(32) }),
      signed(body, { keyId: "simlater-0" }),
      signed(body, { keyId: "simlater-0", key: "00".repeat(32) }),
      signed(body, { keyId: "", key: "" }),
      signed(body, { over: body.replace("10.00", "99.00") }),
      signed(body, { time: String(nowS() - 301) }),
      signed(body, { time: String(nowS() + 301) }),
      signed(body, { time: "1e9" }),
      { ...signed(body), "x-later-time": String(nowS() - 1) },
      { ...signed(body), "x-later-signature": "" },
      { ...signed(body), "x-later-signature": "zz".repeat(32) },
      {},
    ];
    for (const headers of attempts) expect(await post(body, headers)).toBe(401);
    expect(await outcome).toEqual({ kind: "unknown", cause: "timeout" });
  });

  test("takes what is signed, once; a replay is answered 200 and changes nothing", async () => {
    const { asked, outcome } = await silentOrder(20_000);
    const body = bodyOf(asked.reference);
    const headers = signed(body);
    const before = world.results.length;
    expect(await post(body, headers)).toBe(200);
    expect(await outcome).toMatchObject({ kind: "approved", words: { authCode: "ABC123" } });
    for (let times = 0; times < 3; times++) expect(await post(body, headers)).toBe(200);
    expect(world.results.slice(before)).toEqual(["taken", "repeated", "repeated", "repeated"]);
  });

  test.each([
    ["another amount", { total: { value: "9.99", ccy: "EUR" } }, "answer_mismatch"],
    ["another currency", { total: { value: "10.00", ccy: "USD" } }, "answer_mismatch"],
    ["another step", { step: "RETURN" }, "answer_mismatch"],
    ["an amount in other decimals", { total: { value: "10.0", ccy: "EUR" } }, "garbage"],
    ["words that no table has", { verdict: "MAYBE" }, "unmapped_response"],
  ])("a signed callback with %s decides nothing", async (_what, change, cause) => {
    const { asked, outcome } = await silentOrder();
    const body = JSON.stringify({ eventId: newId("event"), report: { ...reportOf(asked.reference), ...change } });
    expect(await post(body, signed(body))).toBe(200);
    expect(await outcome).toMatchObject({ kind: "unknown", cause });
  });

  test.each([
    ["no JSON", "{"],
    ["no event id", JSON.stringify({ report: reportOf("att_1") })],
    ["no report", JSON.stringify({ eventId: "e" })],
    ["numbers for words", JSON.stringify({ eventId: "e", report: { ...reportOf("att_1"), why: 1 } })],
    ["a list", "[]"],
    ["nothing", ""],
  ])("a signed body that is %s is 400", async (_what, body) => {
    expect(await post(body, signed(body))).toBe(400);
  });

  test("an oversize body is refused before it is read, also one that does not say how long it is", async () => {
    const body = bodyOf("att_1").padEnd(receiverLimits.bodySizeBytesMax + 1, " ");
    expect(await post(body, signed(body))).toBe(413);
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(body));
        controller.close();
      },
    });
    const answer = await fetch(world.callbackUrl, { method: "POST", headers: signed(body), body: stream, duplex: "half" });
    expect(answer.status).toBe(413);
  });

  test("a sender that is too slow is cut off", async () => {
    const socket = connect(world.receiver.port, "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.resume();
    socket.write("POST /callbacks/simlater HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{");
    await closed;
  });

  test.each([
    ["another method", "GET", "/callbacks/simlater"],
    ["another path", "POST", "/"],
    ["a connector that takes none", "POST", "/callbacks/simpay"],
    ["a name with a path in it", "POST", "/callbacks/simlater/../x"],
  ])("%s is 404", async (_what, method, path) => {
    const url = world.callbackUrl.replace("/callbacks/simlater", path);
    expect((await fetch(url, { method })).status).toBe(404);
  });
});
