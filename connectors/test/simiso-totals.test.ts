/** Totals of simiso's windows against the books of the real host. */
import { randomBytes } from "node:crypto";
import { makeId, Secret } from "@florin/kernel";
import { freePort, untilTrue } from "@florin/runtime/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Connector } from "../src/contract/connector.ts";
import { identityOf } from "../src/iso8583/payment/identity.ts";
import type { TotalsResult } from "../src/iso8583/payment/totals-round.ts";
import { paymentProfile } from "../src/simiso/profile.ts";
import { createSimiso } from "../src/simiso/simiso.ts";
import { testCard } from "./cards.ts";
import { type SimulatorProcess, startSimulator } from "./start-simulator.ts";

const windowMs = 2_000;
const settleMs = 1_000;
const macKeyHex = randomBytes(16).toString("hex");
const merchantId = makeId("merchant", Date.now(), randomBytes(10));
const results: TotalsResult[] = [];
let simulator: SimulatorProcess;
let port: number;
/** With the same terminals, as a thief would have: the first knows nothing of it. */
let [connector, other]: Connector[] = [];

const connectTo = (onTotals: (result: TotalsResult) => void) =>
  createSimiso({
    addresses: [{ host: "127.0.0.1", port, tls: undefined }],
    macKey: new Secret(Buffer.from(macKeyHex, "hex")),
    inFlightMax: 64,
    isGranted: false,
    totals: { windowMs, settleMs },
    onTotals: (result) => {
      if (result.kind !== "given_up") onTotals(result);
    },
  });

beforeAll(async () => {
  port = await freePort();
  simulator = await startSimulator({ iso8583: { port, macKeyHex } });
  connector = connectTo((result) => results.push(result));
  other = connectTo(() => undefined);
  await untilTrue(() => connector?.isUp() === true && other?.isUp() === true, 5_000);
});
afterAll(async () => {
  await Promise.all([connector?.close(), other?.close()]);
  await simulator?.stop();
});

/** A moment in a window that has not begun. */
const nextWindow = () => (Math.floor(Date.now() / windowMs) + 2) * windowMs + 200;
/** A reference of that moment whose messages belong to one terminal. */
function referenceAt(kind: Parameters<typeof makeId>[0], atMs: number): string {
  for (;;) {
    const reference = makeId(kind, atMs, randomBytes(10));
    if (identityOf(reference, paymentProfile.terminals).terminal === paymentProfile.terminals[0]) return reference;
  }
}
const call = (ms = 5_000) => ({ deadlineAtMs: Date.now() + ms, traceparent: "" });
const money = (amount: bigint) => ({ amount, currency: "EUR" });

function purchase(by: Connector | undefined, atMs: number, o: { amount: bigint; reference?: string; waitMs?: number; capture?: boolean }) {
  const reference = o.reference ?? referenceAt("attempt", atMs);
  const command = {
    ...{ reference, merchantId, paymentId: makeId("payment", atMs, randomBytes(10)), merchantReference: "", capture: o.capture ?? true },
    ...money(o.amount),
  };
  return { command, outcome: by?.authorize(command, testCard("approved"), call(o.waitMs)) };
}

/** What became of the window with this moment. */
async function resultAt(atMs: number): Promise<TotalsResult> {
  const find = () => results.find(({ totals }) => totals.fromMs <= atMs && atMs < totals.untilMs);
  await untilTrue(() => find() !== undefined, 20_000);
  return find() as TotalsResult;
}

test("operations of every kind are the same in the host's books", async () => {
  const atMs = nextWindow();
  const paid = purchase(connector, atMs, { amount: 1_000n });
  const held = purchase(connector, atMs, { amount: 5_000n, capture: false });
  expect([(await paid.outcome)?.kind, (await held.outcome)?.kind]).toEqual(["approved", "approved"]);
  const link = (authorizationReference: string) => ({ authorizationReference, processorReference: "", merchantId });
  const captured = { ...link(held.command.reference), reference: referenceAt("capture", atMs), ...money(2_000n) };
  expect((await connector?.capture(captured, call()))?.kind).toBe("approved");
  const refund = { ...link(paid.command.reference), reference: referenceAt("refund", atMs), ...money(300n), reason: "", isPurchase: true };
  expect((await connector?.refund(refund, call()))?.kind).toBe("approved");
  const reversal = {
    ...{ reference: referenceAt("reversal", atMs), originalReference: captured.reference, authorizationReference: held.command.reference },
    ...{ merchantId, paymentId: held.command.paymentId, ...money(2_000n), isPurchase: false },
  };
  expect((await connector?.reverse(reversal, call()))?.kind).toBe("approved");
  const declined = connector?.authorize(
    { ...paid.command, reference: referenceAt("attempt", atMs) },
    testCard("insufficient_funds"),
    call(),
  );
  expect((await declined)?.kind).toBe("declined");
  expect(await resultAt(atMs)).toMatchObject({
    kind: "balanced",
    theirs: {
      authorization: { count: 1, amount: 0n },
      debit: { count: 2, amount: 3_000n },
      credit: { count: 1, amount: 300n },
      debit_reversal: { count: 1, amount: 2_000n },
      credit_reversal: { count: 0, amount: 0n },
    },
  });
});

test("what the host booked and nobody heard of is explained, not different", async () => {
  const atMs = nextWindow();
  const reference = referenceAt("attempt", atMs);
  await simulator.call("POST", "/admin/rules", { fault: "timeout_after_charge", match: { reference_prefix: reference }, times: 1 });
  expect((await purchase(connector, atMs, { amount: 700n, reference, waitMs: 1_000 }).outcome)?.kind).toBe("unknown");
  expect(await resultAt(atMs)).toMatchObject({
    kind: "explained",
    totals: { approved: { debit: { count: 0 } }, open: { debit: { count: 1, amount: 700n } } },
    theirs: { debit: { count: 1, amount: 700n } },
  });
});

test("what the host booked before it broke down, and its reversal, are explained", async () => {
  const atMs = nextWindow();
  const reference = referenceAt("attempt", atMs);
  await simulator.call("POST", "/admin/rules", { fault: "malfunction_after_charge", match: { reference_prefix: reference }, times: 1 });
  expect((await purchase(connector, atMs, { amount: 800n, reference }).outcome)?.kind).toBe("declined");
  expect(await resultAt(atMs)).toMatchObject({
    kind: "explained",
    totals: { approved: { debit: { count: 0 }, debit_reversal: { count: 1, amount: 800n } }, open: { debit: { count: 1, amount: 800n } } },
    theirs: { debit: { count: 1, amount: 800n }, debit_reversal: { count: 1, amount: 800n } },
  });
});

test("what the host booked under our terminal and we never sent is a difference", async () => {
  const atMs = nextWindow();
  expect((await purchase(connector, atMs, { amount: 100n }).outcome)?.kind).toBe("approved");
  expect((await purchase(other, atMs, { amount: 999n }).outcome)?.kind).toBe("approved");
  expect(await resultAt(atMs)).toMatchObject({
    kind: "different",
    totals: { approved: { debit: { count: 1, amount: 100n } } },
    theirs: { debit: { count: 2, amount: 1_099n } },
  });
});
