import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PaymentEventSchema } from "@florin/gen/events/v1/events";
import { Mode } from "@florin/gen/payments/v1/payments";
import fc from "fast-check";
import { expect, test } from "vitest";
import { movesMoney } from "../domain/posting.ts";
import { eventsOfLife, sampleId } from "../domain/samples.ts";
import { readBookedEvent, UnknownEventTypeError } from "./booked-event.ts";
import { encodeEvent } from "./wire-samples.ts";

test("the short reader sees what a full decode sees", () => {
  const amount = fc.bigInt({ min: 0n, max: 999_999_999_999n });
  const totals = fc.record({ authorized: amount, captured: amount, refunded: amount });
  fc.assert(
    fc.property(
      totals,
      totals,
      amount,
      fc.constantFrom("test" as const, "live" as const),
      fc.nat(),
      (before, after, about, mode, occurredAtMs) => {
        const event = {
          type: "payment_captured" as const,
          paymentId: sampleId("payment", 5),
          merchantId: sampleId("merchant", 6),
          mode,
          currency: "JPY",
          connector: "simpay",
          amount: about,
          before,
          after,
          occurredAtMs,
        };
        const body = encodeEvent(event);
        const full = fromBinary(PaymentEventSchema, body);
        const booked = readBookedEvent(9n, body);
        expect(booked).toEqual({ ...event, position: 9n });
        expect(booked).toMatchObject({
          paymentId: full.payment?.id,
          merchantId: full.payment?.merchantId,
          mode: full.payment?.mode === Mode.LIVE ? "live" : "test",
          currency: full.payment?.currency,
          connector: full.payment?.processorResponse?.connector,
          amount: full.amount,
          occurredAtMs: Number(full.occurredAtMs),
        });
      },
    ),
  );
});

test("an event that moves no money is not read beyond its type", () => {
  const [intent] = eventsOfLife({
    paymentId: sampleId("payment", 1),
    merchantId: sampleId("merchant", 1),
    mode: "test",
    currency: "EUR",
    amount: 5n,
    choices: [],
  });
  expect(intent && movesMoney(intent.type)).toBe(false);
  expect(intent && readBookedEvent(1n, encodeEvent(intent))).toBeUndefined();
});

test("a type of a newer release stops the ledger instead of being skipped", () => {
  const body = toBinary(PaymentEventSchema, create(PaymentEventSchema, { type: "payment_teleported" }));
  expect(() => readBookedEvent(1n, body)).toThrow(UnknownEventTypeError);
});

test("an event without a payment, or cut short, is refused", () => {
  const body = toBinary(PaymentEventSchema, create(PaymentEventSchema, { type: "payment_captured" }));
  expect(() => readBookedEvent(1n, body)).toThrow();
  const [, authorized] = eventsOfLife({
    paymentId: sampleId("payment", 1),
    merchantId: sampleId("merchant", 1),
    mode: "test",
    currency: "EUR",
    amount: 5n,
    choices: [{ step: "authorize", share: 1 }],
  });
  const whole = authorized === undefined ? new Uint8Array() : encodeEvent(authorized);
  expect(() => readBookedEvent(1n, whole.subarray(0, whole.length - 30))).toThrow();
});
