/** A host that cannot look at a message just now, or turns it away at the door: simiso against the real simulator. */
import { randomBytes } from "node:crypto";
import { makeId, Secret } from "@florin/kernel";
import { derivedId } from "@florin/runtime/derived-id";
import { freePort, untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Connector } from "../src/contract/connector.ts";
import type { Outcome } from "../src/contract/outcome.ts";
import { createSimiso } from "../src/simiso/simiso.ts";
import { testCard } from "./cards.ts";
import { type SimulatorProcess, startSimulator } from "./start-simulator.ts";

const newId = (kind: Parameters<typeof makeId>[0]) => makeId(kind, Date.now(), randomBytes(10));
const merchantId = newId("merchant");
const macKeyHex = randomBytes(16).toString("hex");
let simulator: SimulatorProcess;
let connector: Connector;

beforeAll(async () => {
  const port = await freePort();
  simulator = await startSimulator({ iso8583: { port, macKeyHex } });
  connector = createSimiso({
    addresses: [{ host: "127.0.0.1", port, tls: undefined }],
    macKey: new Secret(Buffer.from(macKeyHex, "hex")),
    inFlightMax: 64,
    isGranted: false,
    totals: { windowMs: 300_000, settleMs: 90_000 },
    onTotals: () => undefined,
  });
  await untilTrue(() => connector.isUp(), 5_000);
});
afterAll(async () => {
  await connector?.close();
  await simulator?.stop();
});

/** The next message with this reference meets the first fault, the one after it the second. */
async function fail(reference: string, ...faults: readonly string[]): Promise<void> {
  for (const fault of faults) await simulator.call("POST", "/admin/rules", { fault, match: { reference_prefix: reference }, times: 1 });
}
const effects = async (reference: string) => Number((await simulator.call("GET", `/admin/books/charges?reference=${reference}`))["count"]);
const call = (ms = 5_000) => ({ deadlineAtMs: Date.now() + ms, traceparent: "" });
const money = { amount: 400n, currency: "EUR" };
const nos = [
  ["malfunction", { kind: "unknown", cause: "processor_fault", words: { responseCode: "96" } }, "processing_error"],
  ["turned_away", { kind: "unknown", cause: "turned_away", words: { responseCode: "63" } }, "do_not_honor"],
] as const;

async function authorize(capture: boolean, reference = newId("attempt"), ms?: number) {
  const command = { reference, merchantId, paymentId: newId("payment"), merchantReference: "", ...money, capture };
  return { command, outcome: await connector.authorize(command, testCard("approved"), call(ms)) };
}
async function linkTo(capture: boolean) {
  const { command, outcome } = await authorize(capture);
  expect(outcome.kind).toBe("approved");
  return { authorizationReference: command.reference, processorReference: "", merchantId };
}

const movements: Readonly<Record<string, (reference: string) => Promise<(ms?: number) => Promise<Outcome>>>> = {
  capture: async (reference) => {
    const command = { ...(await linkTo(false)), reference, ...money };
    return (ms) => connector.capture(command, call(ms));
  },
  void: async (reference) => {
    const command = { ...(await linkTo(false)), reference };
    return (ms) => connector.void(command, call(ms));
  },
  refund: async (reference) => {
    const command = { ...(await linkTo(true)), reference, ...money, reason: "", isPurchase: true };
    return (ms) => connector.refund(command, call(ms));
  },
};

describe.each(nos)("by %s", (fault, unanswered, reason) => {
  test.each(["capture", "void", "refund"] as const)("a %s that was booked is not refused when it is repeated", async (kind) => {
    const reference = newId(kind);
    const ask = await movements[kind]?.(reference);
    await fail(reference, "timeout_after_charge", fault);
    expect(await ask?.(300)).toMatchObject({ kind: "unknown", cause: "timeout" });
    expect(await ask?.()).toMatchObject(unanswered);
    expect(await ask?.()).toMatchObject({ kind: "approved" });
    expect(await effects(reference)).toBe(1);
  });

  test("a reversal that the host could not look at is repeated, and approved", async () => {
    const { command } = await authorize(true);
    const reversal = {
      ...{ reference: newId("reversal"), originalReference: command.reference, authorizationReference: command.reference },
      ...{ merchantId, paymentId: command.paymentId, ...money, isPurchase: true },
    };
    await fail(reversal.reference, fault);
    expect(await connector.reverse(reversal, call())).toMatchObject(unanswered);
    expect(await effects(command.reference)).toBe(1);
    expect(await connector.reverse(reversal, call())).toMatchObject({ kind: "approved" });
    expect(await effects(command.reference)).toBe(0);
  });

  test.each([true, false])("an authorization is declined by it, and has no effect (purchase: %s)", async (capture) => {
    const reference = newId("attempt");
    await fail(reference, fault);
    expect((await authorize(capture, reference)).outcome).toMatchObject({ kind: "declined", reason });
    expect(await effects(reference)).toBe(0);
  });
});

describe.each([true, false])("a host that books and then breaks down (purchase: %s)", (capture) => {
  test("is reversed before its no is believed: another processor may be tried", async () => {
    const reference = newId("attempt");
    await fail(reference, "malfunction_after_charge");
    const { command, outcome } = await authorize(capture, reference);
    expect(outcome).toMatchObject({ kind: "declined", reason: "processing_error" });
    expect(await effects(reference)).toBe(0);
    // The switch's own reversal would be the same one again.
    const reversal = {
      ...{ reference: derivedId("reversal", reference), originalReference: reference, authorizationReference: reference },
      ...{ merchantId, paymentId: command.paymentId, ...money, isPurchase: capture },
    };
    expect(await connector.reverse(reversal, call())).toMatchObject({ kind: "approved" });
  });

  test.each(["malfunction", "timeout_before_charge"])("leaves nobody knowing where the reversal meets %s", async (fault) => {
    const reference = newId("attempt");
    await fail(reference, "malfunction_after_charge");
    await fail(derivedId("reversal", reference), fault);
    const { outcome } = await authorize(capture, reference, 500);
    expect(outcome).toMatchObject({ kind: "unknown", cause: "processor_fault", words: { responseCode: "96" } });
    expect(await effects(reference)).toBe(1);
  });

  test("leaves nobody knowing where it has nothing to reverse yet: it may still book behind the front that gave up", async () => {
    const reference = newId("attempt");
    await fail(reference, "malfunction");
    await fail(derivedId("reversal", reference), "no_original");
    expect((await authorize(capture, reference)).outcome).toMatchObject({ kind: "unknown", cause: "processor_fault" });
  });
});

test("a reversal of what the host does not know is not believed yet: the original may be on its way, whatever the clocks say", async () => {
  const longAgo = makeId("attempt", Date.now() - 86_400_000, randomBytes(10));
  const reversal = {
    ...{ reference: newId("reversal"), originalReference: longAgo, authorizationReference: longAgo },
    ...{ merchantId, paymentId: newId("payment"), ...money, isPurchase: true },
  };
  await fail(reversal.reference, "no_original");
  expect(await connector.reverse(reversal, call())).toMatchObject({ kind: "unknown", cause: "in_progress" });
});
