import { readFileSync, writeFileSync } from "node:fs";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  ListPaymentEventsResponseSchema,
  ListPaymentsResponseSchema,
  PaymentSchema,
  PaymentStatus,
} from "@florin/gen/payments/v1/payments";
import fc from "fast-check";
import { Compile } from "typebox/compile";
import { describe, expect, test } from "vitest";
import { authorizedPayment, paymentSamples } from "./payment-samples.ts";
import { statusWords, writePayment } from "./payment-view.ts";
import { paymentAnswer, timelineAnswer } from "./schemas.ts";
import { writePaymentPage, writeTimeline } from "./timeline-view.ts";

const isPayment = Compile(paymentAnswer);

describe("a payment on the wire", () => {
  // FLORIN_WRITE_GOLDEN=1 writes them anew; look at the difference before it is committed: merchants parse these.
  test.each(Object.keys(paymentSamples))("%s is, byte for byte, what the golden file holds", (name) => {
    const file = new URL(`./golden/payment-${name}.json.golden`, import.meta.url);
    const text = writePayment(paymentSamples[name] ?? authorizedPayment());
    if (process.env["FLORIN_WRITE_GOLDEN"] === "1") writeFileSync(file, `${text}\n`);
    expect(`${text}\n`).toBe(readFileSync(file, "utf8"));
  });

  test.each(Object.entries(paymentSamples))("%s holds to the documented schema", (_, payment) => {
    expect(isPayment.Errors(JSON.parse(writePayment(payment)))).toEqual([]);
  });

  test("is the same after a way through the log", () => {
    const word = fc.string({ unit: "grapheme", maxLength: 30 });
    const key = fc.oneof(fc.string({ unit: "grapheme", maxLength: 10 }), fc.nat().map(String)).filter((text) => text !== "__proto__");
    const fields = fc.record({ merchantReference: word, description: word, metadata: fc.dictionary(key, word, { noNullPrototype: true }) });
    fc.assert(
      fc.property(fields, fc.bigInt(0n, 999_999_999_999n), ({ metadata, ...texts }, amount) => {
        const payment = authorizedPayment({ ...texts, metadata, amount });
        const first = writePayment(payment);
        expect(writePayment(fromBinary(PaymentSchema, toBinary(PaymentSchema, payment)))).toBe(first);
        const shuffled = Object.fromEntries(Object.entries(metadata).reverse());
        expect(writePayment(authorizedPayment({ ...texts, metadata: shuffled, amount }))).toBe(first);
        expect(JSON.parse(first)).toMatchObject({ metadata, amount: Number(amount), description: texts.description || null });
      }),
    );
  });

  test("every status that is ever stored has a word, and an unknown one is a bug", () => {
    const numbers = Object.values(PaymentStatus).filter((status) => status !== PaymentStatus.UNSPECIFIED);
    expect(numbers.map((status) => statusWords[status])).not.toContain(undefined);
    expect(new Set(Object.values(statusWords)).size).toBe(numbers.length);
    expect(() => writePayment(authorizedPayment({ status: PaymentStatus.UNSPECIFIED }))).toThrow("status");
  });

  test("text cannot break out of its string", () => {
    const nasty = 'x","amount":1,"\u2028\ud800"}';
    const payment = authorizedPayment({
      merchantReference: nasty,
      processorResponse: { connector: nasty, code: nasty },
      metadata: { [nasty]: nasty },
    });
    const read = JSON.parse(writePayment(payment)) as { amount: number; merchant_reference: string; metadata: Record<string, string> };
    expect([read.amount, read.merchant_reference, read.metadata[nasty]]).toEqual([10_000, nasty, nasty]);
  });
});

describe("lists on the wire", () => {
  const entry: NonNullable<MessageInitShape<typeof ListPaymentEventsResponseSchema>["entries"]>[number] = {
    sequence: 1,
    type: "payment_created",
    occurredAtMs: 1_795_239_476_695n,
    actor: "worker:recovery",
    statusAfter: PaymentStatus.CREATED,
    details: { b: "2", a: "1" },
  };

  test("a timeline holds to its schema, and what is absent is null", () => {
    const text = writeTimeline(
      create(ListPaymentEventsResponseSchema, { found: true, entries: [entry, { ...entry, before: {}, after: {} }] }),
    );
    const read = JSON.parse(text) as { data: Record<string, unknown>[] };
    expect(Compile(timelineAnswer).Errors(read)).toEqual([]);
    expect(read.data[0]).toMatchObject({ request_id: null, status_before: null, amount: null, operation_id: null, before: null });
    expect(text).toContain('"details":{"a":"1","b":"2"}');
  });

  test("an empty page has no cursor", () => {
    expect(writePaymentPage(create(ListPaymentsResponseSchema))).toBe('{"data":[],"has_more":false,"next_cursor":null}');
  });
});
