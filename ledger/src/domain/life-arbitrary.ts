/** Any life of a payment, for property tests. Not used by the process. */
import fc from "fast-check";
import { type Choice, type Life, sampleId } from "./samples.ts";

const steps = [
  "authorize",
  "sale",
  "decline",
  "capture",
  "capture_failed",
  "void",
  "expire",
  "refund",
  "refund_at_once",
  "refund_failed",
] as const;

const choice: fc.Arbitrary<Choice> = fc.record({ step: fc.constantFrom(...steps), share: fc.double({ min: 0, max: 1, noNaN: true }) });

export const lifeArbitrary: fc.Arbitrary<Life> = fc.record({
  paymentId: fc.integer({ min: 1, max: 1_000_000 }).map((number) => sampleId("payment", number)),
  merchantId: fc.integer({ min: 1, max: 3 }).map((number) => sampleId("merchant", number)),
  mode: fc.constantFrom("test", "live"),
  currency: fc.constantFrom("EUR", "JPY", "BHD"),
  amount: fc.bigInt({ min: 1n, max: 999_999_999_999n }),
  choices: fc.array(choice, { maxLength: 12 }),
});
