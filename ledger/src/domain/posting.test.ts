import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldTransfers, outstanding } from "./balance.ts";
import { type BookedEvent, eventTypes, isEventType } from "./event.ts";
import { lifeArbitrary } from "./life-arbitrary.ts";
import { movesMoney, transfersOf } from "./posting.ts";
import { eventsOfLife, sampleId } from "./samples.ts";

const merchantId = sampleId("merchant", 1);
const receivable = "processor/simpay/receivable";
const payable = `merchant/${merchantId}/payable`;

function event(change: Partial<BookedEvent>): BookedEvent {
  return {
    position: 7n,
    type: "payment_authorized",
    paymentId: sampleId("payment", 1),
    merchantId,
    mode: "live",
    currency: "EUR",
    connector: "simpay",
    amount: 0n,
    before: { authorized: 0n, captured: 0n, refunded: 0n },
    after: { authorized: 0n, captured: 0n, refunded: 0n },
    occurredAtMs: 1_760_000_000_000,
    ...change,
  };
}

const totals = (authorized: bigint, captured: bigint, refunded: bigint) => ({ authorized, captured, refunded });
const lines = (booked: BookedEvent) =>
  transfersOf(booked).map(({ layer, debit, credit, amount }) => `${layer}: ${debit} -> ${credit} ${amount}`);

describe("posting rules", () => {
  test("an authorization is pending between the processor and the merchant", () => {
    expect(lines(event({ after: totals(1000n, 0n, 0n) }))).toEqual([`pending: ${receivable} -> ${payable} 1000`]);
  });

  test("a partial capture releases its part of the hold and posts it", () => {
    const captured = event({ type: "payment_captured", before: totals(1000n, 0n, 0n), after: totals(1000n, 400n, 0n) });
    expect(lines(captured)).toEqual([`pending: ${payable} -> ${receivable} 400`, `posted: ${receivable} -> ${payable} 400`]);
  });

  test("an automatic capture posts without ever being pending", () => {
    const sale = event({ type: "payment_authorized_and_captured", after: totals(1000n, 1000n, 0n) });
    expect(lines(sale)).toEqual([`posted: ${receivable} -> ${payable} 1000`]);
  });

  test.each(["payment_voided", "authorization_expired"] as const)("%s releases what was held and not captured", (type) => {
    const released = event({ type, amount: 600n, before: totals(1000n, 400n, 0n), after: totals(1000n, 400n, 0n) });
    expect(lines(released)).toEqual([`pending: ${payable} -> ${receivable} 600`]);
  });

  test("a refund is posted once, when the processor accepts it", () => {
    const accepted = event({ type: "refund_accepted", before: totals(9n, 9n, 0n), after: totals(9n, 9n, 5n) });
    const succeeded = event({ type: "refund_succeeded", before: totals(9n, 9n, 5n), after: totals(9n, 9n, 5n) });
    const atOnce = event({ type: "refund_succeeded", before: totals(9n, 9n, 0n), after: totals(9n, 9n, 5n) });
    expect(lines(accepted)).toEqual([`posted: ${payable} -> ${receivable} 5`]);
    expect(lines(succeeded)).toEqual([]);
    expect(lines(atOnce)).toEqual([`posted: ${payable} -> ${receivable} 5`]);
  });

  test("a refund that fails is taken back only if it was posted", () => {
    const afterAcceptance = event({ type: "refund_failed", before: totals(9n, 9n, 5n), after: totals(9n, 9n, 0n) });
    const beforeAcceptance = event({ type: "refund_failed", before: totals(9n, 9n, 0n), after: totals(9n, 9n, 0n) });
    expect(lines(afterAcceptance)).toEqual([`posted: ${receivable} -> ${payable} 5`]);
    expect(lines(beforeAcceptance)).toEqual([]);
  });

  test("test payments have accounts of their own", () => {
    const [transfer] = transfersOf(event({ mode: "test", after: totals(1n, 0n, 0n) }));
    expect(transfer?.debit).toBe(`test/${receivable}`);
    expect(transfer?.credit).toBe(`test/${payable}`);
  });

  test("intents, refusals and unknown outcomes move no money", () => {
    const still = eventTypes.filter((type) => !movesMoney(type));
    expect(still).toEqual(
      eventTypes.filter((type) =>
        /created|requested|blocked|rerouted|declined|not_sent|unknown|ambiguous|reversed|capture_failed|void_failed|reversal_/.test(type),
      ),
    );
    for (const type of still) expect(transfersOf(event({ type, amount: 5n }))).toEqual([]);
  });

  test("totals that contradict the event's type are a bug, not an entry", () => {
    expect(() => transfersOf(event({ after: totals(0n, 0n, 0n) }))).toThrow();
    expect(() => transfersOf(event({ type: "payment_captured", before: totals(9n, 5n, 0n), after: totals(9n, 4n, 0n) }))).toThrow();
    expect(() =>
      transfersOf(event({ type: "payment_voided", amount: 10n, before: totals(9n, 0n, 0n), after: totals(9n, 0n, 0n) })),
    ).toThrow();
    expect(() => transfersOf(event({ type: "refund_accepted", before: totals(9n, 9n, 5n), after: totals(9n, 9n, 4n) }))).toThrow();
  });
});

describe("any life of a payment", () => {
  test("every event's transfers balance per currency and layer, and no amount is zero or negative", () => {
    fc.assert(
      fc.property(lifeArbitrary, (life) => {
        for (const [index, unplaced] of eventsOfLife(life).entries()) {
          const sums = new Map<string, bigint>();
          for (const transfer of transfersOf({ ...unplaced, position: BigInt(index + 1) })) {
            expect(transfer.amount).toBeGreaterThan(0n);
            expect(transfer.debit).not.toBe(transfer.credit);
            const key = `${transfer.layer} ${transfer.currency}`;
            for (const signed of [transfer.amount, -transfer.amount]) sums.set(key, (sums.get(key) ?? 0n) + signed);
          }
          expect([...sums.values()].every((sum) => sum === 0n)).toBe(true);
        }
      }),
    );
  });

  test("the merchant is owed what was captured and not refunded, and what is pending can still be captured", () => {
    fc.assert(
      fc.property(lifeArbitrary, (life) => {
        const events = eventsOfLife(life);
        const transfers = events.flatMap((unplaced, index) => transfersOf({ ...unplaced, position: BigInt(index + 1) }));
        const last = events.at(-1)?.after ?? { authorized: 0n, captured: 0n, refunded: 0n };
        const released = events
          .filter(({ type }) => type === "payment_voided" || type === "authorization_expired")
          .reduce((sum, { amount }) => sum + amount, 0n);
        const merchant = [...foldTransfers(transfers).values()].find(({ account }) => account.endsWith("/payable"));
        if (merchant === undefined) {
          expect(last.authorized).toBe(0n);
          return;
        }
        expect(merchant.creditsPosted - merchant.debitsPosted).toBe(last.captured - last.refunded);
        expect(outstanding(merchant)).toEqual({ debits: 0n, credits: last.authorized - last.captured - released });
      }),
    );
  });
});

test("every event type that the lifecycle page names has a posting rule, and no other has", () => {
  const page = readFileSync(new URL("../../../docs/payment-lifecycle.md", import.meta.url), "utf8");
  for (const type of eventTypes) expect(page).toContain(type);
  const named = page.match(
    /\b(payment|authorization|capture|void|refund)_(created|requested|blocked|authorized(_and_captured)?|captured|voided|declined|not_sent|unknown|ambiguous|reversed|expired|accepted|succeeded|failed)\b/g,
  );
  expect([...new Set(named)].filter((type) => !isEventType(type))).toEqual([]);
});
